/// The 24 bytes before the payload of a logged message, big-endian.
///
/// | offset | size | field |
/// | --- | --- | --- |
/// | 0 | 2 | `D5 01`: mark and version |
/// | 2 | 1 | flags: bit 0, the receiver acknowledges to the sender (`.endToEnd`); others sent as 0, ignored |
/// | 3 | 1 | reserved: sent as 0, ignored |
/// | 4 | 8 | source |
/// | 12 | 4 | boot epoch |
/// | 16 | 8 | sequence |
///
/// It is meant for topics that are known to carry it: two bytes are no proof that a payload has one.
public struct Envelope: Hashable, Sendable {
    /// What the sender asks for.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The byte in the envelope; unknown bits are kept.
        public var rawValue: UInt8
        /// Wraps the byte.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The receiver's SDK acknowledges the message to its sender once it has been handled.
        public static let endToEnd = Flags(rawValue: 1)
    }

    /// The envelope's length in bytes.
    public static let byteCount = 24

    /// What the sender asks for.
    public var flags: Flags
    /// Which message it is.
    public var id: MessageID

    /// Makes an envelope.
    public init(id: MessageID, flags: Flags = []) {
        self.id = id
        self.flags = flags
    }

    /// Reads the envelope at the start of a message; nil when that is shorter than 24 bytes or does not begin with
    /// `D5 01`.
    ///
    /// Any other 24 bytes are an envelope: nothing that a peer sends makes this trap.
    public init?(decoding message: some Collection<UInt8>) {
        let bytes = Array(message.prefix(Self.byteCount))
        let parts = bytes.withUnsafeBytes { bytes -> (UInt64, UInt32, UInt64)? in
            guard bytes.count == Self.byteCount, bytes[0] == 0xD5, bytes[1] == 0x01,
                let source: UInt64 = bytes.bigEndian(at: 4), let epoch: UInt32 = bytes.bigEndian(at: 12),
                let sequence: UInt64 = bytes.bigEndian(at: 16)
            else { return nil }
            return (source, epoch, sequence)
        }
        guard let (source, epoch, sequence) = parts else { return nil }
        flags = Flags(rawValue: bytes[2])  // safe: 24 bytes
        id = MessageID(source: source, epoch: epoch, sequence: sequence)
    }

    /// Appends the 24 bytes.
    public func encode(into message: inout [UInt8]) {
        message.append(contentsOf: [0xD5, 0x01, flags.rawValue, 0])
        message.appendBigEndian(id.source)
        message.appendBigEndian(id.epoch)
        message.appendBigEndian(id.sequence)
    }

    /// The 24 bytes.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        encode(into: &bytes)
        return bytes
    }
}
