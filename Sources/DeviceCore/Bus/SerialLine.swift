/// A serial line, of the kernel or simulated.
public protocol SerialLine: AnyObject, Sendable {
    /// What this line is, for a person: `/dev/serial0`.
    var name: String { get }
    /// What arrives, in order. For one reader; ends with ``close()`` or when the line is gone.
    var events: SerialInbox { get }
    /// Bytes that can be written now without waiting.
    var writableBytes: Int { get }

    /// Queues bytes and returns when the kernel has them all, which blocks while its buffer is full.
    ///
    /// - Throws: `.closed`, `.timedOut` when the other side's flow control holds the line for 10 seconds, `.io`.
    func write(_ bytes: [UInt8]) throws(DeviceError)
    /// Gives the line back. Does nothing the second time.
    func close()
}

/// What comes from a serial line.
public enum SerialEvent: Hashable, Sendable {
    /// Bytes. With `isPattern` they end with the pattern that was asked for.
    case data([UInt8], isPattern: Bool)
    /// Something was received that is no byte, or bytes were lost.
    case error(SerialError)
}

/// What goes wrong while receiving.
public enum SerialError: String, Hashable, Sendable {
    /// Nobody read in time, so bytes were thrown away here.
    case full
    /// The kernel or the hardware had no room for bytes.
    case overflow
    /// A byte without its stop bit; with parity on it may also be one with wrong parity.
    case frame
    /// A byte with wrong parity, or without its stop bit: the kernel marks both alike.
    case parity
    /// The line was held low for longer than a byte.
    case lineBreak = "break"
    /// The device is gone or cannot be read.
    case io = "IO err"
}

/// How a serial line is set.
public struct SerialSettings: Hashable, Sendable {
    /// The check bit of each byte.
    public enum Parity: String, Hashable, Sendable {
        /// No check bit.
        case none
        /// An even number of ones.
        case even
        /// An odd number of ones.
        case odd
    }

    /// A run of one byte that ends a message, as modems' `+++`.
    public struct Pattern: Hashable, Sendable {
        /// The byte.
        public var byte: UInt8
        /// How many of it in a row.
        public var count: Int
        /// The longest pause inside the pattern; zero for any.
        public var gap: Duration

        /// Makes a pattern.
        public init(byte: UInt8, count: Int, gap: Duration = .zero) {
            self.byte = byte
            self.count = count
            self.gap = gap
        }
    }

    /// Bits a second.
    public var baudRate = 9600
    /// 5 to 8.
    public var dataBits = 8
    /// 1 or 2.
    public var stopBits = 1
    /// The check bit.
    public var parity = Parity.none
    /// Whether RTS and CTS stop and start the senders; Linux has both or none.
    public var hasHardwareFlowControl = false
    /// Whether RTS switches an RS-485 transceiver to sending while bytes are sent.
    public var isRS485 = false
    /// Bytes that may wait for the reader; 128 to 1048576.
    public var receiveBuffer = 4096
    /// Bytes are gathered until the line was quiet for so long; zero hands them out as they come.
    public var quiet = Duration.zero
    /// The pattern to look for.
    public var pattern: Pattern?

    /// 9600 baud, 8 data bits, no parity, 1 stop bit.
    public init() {}

    /// The time that one byte takes.
    public var byteTime: Duration {
        let bits = 1 + dataBits + (parity == .none ? 0 : 1) + stopBits
        return .nanoseconds(Int64(bits) * 1_000_000_000 / Int64(max(1, baudRate)))
    }

    /// Refuses what no line can do. Throws `.invalidArgument`.
    public func check() throws(DeviceError) {
        guard (50...20_000_000).contains(baudRate) else { throw wrong("baud rate \(baudRate)", "50 to 20000000") }
        guard (5...8).contains(dataBits) else { throw wrong("\(dataBits) data bits", "5 to 8") }
        guard (1...2).contains(stopBits) else { throw wrong("\(stopBits) stop bits", "1 or 2") }
        guard (128...1 << 20).contains(receiveBuffer) else {
            throw wrong("a receive buffer of \(receiveBuffer) bytes", "128 to 1048576")
        }
        if let pattern, !(1...16).contains(pattern.count) {
            throw wrong("a pattern of \(pattern.count) bytes", "1 to 16")
        }
    }

    private func wrong(_ what: String, _ allowed: String) -> DeviceError {
        DeviceError(.invalidArgument, "a serial line cannot have \(what)", hint: "Use \(allowed)")
    }
}
