import DeviceCore
import NIOCore

/// What devices publish: enough to tell where it comes from, whether one is missing, and how long it was under way.
///
/// 26 bytes, big-endian: `46 4C`, version 1, kind, run (4), device (4), sequence (4), time (8), value (2).
struct FleetMessage: Hashable, Sendable {
    enum Kind: UInt8, Sendable {
        /// A session has begun; of no sequence.
        case hello = 0
        case temperature = 1
        case humidity = 2
        case light = 3
        /// A LED was switched: its id in the value's high byte, its state in the low one.
        case echo = 4
        /// The button was pressed.
        case press = 5
        /// From one receiver to the others, to see whether their brokers are linked; `device` is the receiver.
        case probe = 6
    }

    static let byteCount = 26
    static let mark: UInt16 = 0x464C

    var kind: Kind
    /// Tells the messages of one run from those of another.
    var run: UInt32
    var device: UInt32
    /// From 1, across all kinds of a device; 0 for what is not counted.
    var sequence: UInt32
    /// When it was published, on this process's clock.
    var time: MonotonicTime
    var value: Int16 = 0

    init(_ kind: Kind, run: UInt32, device: UInt32, sequence: UInt32, time: MonotonicTime, value: Int16 = 0) {
        self.kind = kind
        self.run = run
        self.device = device
        self.sequence = sequence
        self.time = time
        self.value = value
    }

    /// Reads a message; nil for anything else.
    init?(_ payload: ByteBuffer) {
        var payload = payload
        guard payload.readableBytes == Self.byteCount, payload.readInteger(as: UInt16.self) == Self.mark,
            payload.readInteger(as: UInt8.self) == 1,
            let kind = payload.readInteger(as: UInt8.self).flatMap(Kind.init(rawValue:)),
            let run = payload.readInteger(as: UInt32.self), let device = payload.readInteger(as: UInt32.self),
            let sequence = payload.readInteger(as: UInt32.self), let time = payload.readInteger(as: Int64.self),
            let value = payload.readInteger(as: Int16.self)
        else { return nil }
        self.init(
            kind, run: run, device: device, sequence: sequence, time: MonotonicTime(nanoseconds: time), value: value)
    }

    var payload: ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(Self.byteCount)
        buffer.writeInteger(Self.mark)
        buffer.writeInteger(UInt8(1))
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(run)
        buffer.writeInteger(device)
        buffer.writeInteger(sequence)
        buffer.writeInteger(time.nanoseconds)
        buffer.writeInteger(value)
        return buffer
    }
}

/// The topics beside those of ``ReadingKind``.
enum FleetTopic {
    /// Devices say here that a session has begun: controllers learn their ids.
    static let hello = "fleet/device"
    /// Switched LEDs.
    static let led = "fleet/led"
    /// Pressed buttons.
    static let button = "fleet/button"
    /// From receiver to receiver.
    static let probe = "fleet/probe"
    /// Those whose messages are counted and always live.
    static let live = [led, button]
}

/// The clock of a run: the one that the event loops go by.
enum FleetClock {
    static var now: MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }
}
