/// What makes a logged message different from every other, whoever repeats it: key of de-duplication.
///
/// `source` is drawn at random once for each ``OutboxLog`` (each priority class has its own, because each counts its
/// own sequence) and kept in the state directory **beside the boot epoch**, so that both are lost together: a source
/// whose epoch began again would find its new messages taken for old ones.
public struct MessageID: Hashable, Sendable, CustomStringConvertible {
    /// The sending log.
    public var source: UInt64
    /// The sender's start during which the message was appended. See ``BootEpoch``.
    public var epoch: UInt32
    /// The message's number in its log.
    public var sequence: UInt64

    /// Makes an identity from its parts.
    public init(source: UInt64, epoch: UInt32, sequence: UInt64) {
        self.source = source
        self.epoch = epoch
        self.sequence = sequence
    }

    /// Makes the identity of a record of the log that sends as `source`.
    public init(source: UInt64, record: RecordID) {
        self.init(source: source, epoch: record.epoch, sequence: record.sequence)
    }

    /// The record in the log of ``source``, as ``OutboxLog/acknowledge(_:)`` takes it.
    public var record: RecordID { RecordID(epoch: epoch, sequence: sequence) }

    /// For example `00000000000000a1/3/17`: source in hexadecimal, epoch, sequence.
    public var description: String {
        let digits = String(source, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits + "/\(epoch)/\(sequence)"
    }
}

/// A record of one ``OutboxLog``. ``OutboxLog/append(_:timeToLive:)`` returns it as the ticket to wait with.
///
/// Sequences of a log grow for ever, across starts too. After a power failure the numbers of records that had not
/// become durable are used again, for other messages in a later epoch: hence both.
public struct RecordID: Hashable, Sendable {
    /// The start during which it was appended.
    public var epoch: UInt32
    /// Its number in the log, from 1.
    public var sequence: UInt64

    /// Makes an identity from its parts.
    public init(epoch: UInt32, sequence: UInt64) {
        self.epoch = epoch
        self.sequence = sequence
    }
}
