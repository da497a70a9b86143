/// The resistor that a chip can put between a line and a supply.
public enum Bias: String, Hashable, Sendable {
    /// As it is.
    case unchanged
    /// None: the line floats when nothing drives it.
    case disabled
    /// To the supply: an open line reads high.
    case pullUp
    /// To ground: an open line reads low.
    case pullDown
}

/// How an output drives its line.
public enum Drive: String, Hashable, Sendable {
    /// High and low.
    case pushPull
    /// Only low; something else must pull high.
    case openDrain
    /// Only high; something else must pull low.
    case openSource
}

/// What becomes of an output when the program gives it back.
public enum ReleasePolicy: String, Hashable, Sendable, CaseIterable {
    /// Switched off first.
    case off
    /// Left as it is. Raspberry Pi's driver still makes it an input, unless `persist_gpio_outputs` is set.
    case leave
    /// Made an input first, so that it drives nothing.
    case input
    /// Given the direction and level that it had before; to be asked for at the start. Asked for only at the end, where
    /// what was before is not known, it is ``input``.
    case initial
}

/// How outputs are requested.
public struct OutputSettings: Sendable {
    /// The name that others see as the lines' owner; at most 31 bytes reach the kernel.
    public var consumer: String
    /// The lines, by their index in the request (bit 0 is the first), that a low level makes active.
    public var activeLow: UInt64
    /// The first values, by index; 1 is active.
    public var values: UInt64
    /// How the lines are driven.
    public var drive: Drive
    /// The resistor.
    public var bias: Bias
    /// What becomes of the lines at the end.
    public var release: ReleasePolicy

    /// Makes settings.
    public init(
        consumer: String, activeLow: UInt64 = 0, values: UInt64 = 0, drive: Drive = .pushPull,
        bias: Bias = .unchanged, release: ReleasePolicy = .off
    ) {
        self.consumer = consumer
        self.activeLow = activeLow
        self.values = values
        self.drive = drive
        self.bias = bias
        self.release = release
    }
}

/// How inputs are requested.
public struct InputSettings: Sendable {
    /// The name that others see as the lines' owner; at most 31 bytes reach the kernel.
    public var consumer: String
    /// The lines, by their index in the request (bit 0 is the first), that a low level makes active.
    public var activeLow: UInt64
    /// The resistor. ROCK boards' drivers accept it and do nothing.
    public var bias: Bias
    /// Whether edges are reported.
    public var reportsEdges: Bool
    /// A level counts after it was quiet for so long; zero for every edge.
    public var debounce: Duration
    /// How many edges wait for a slow reader before the oldest is dropped and counted; 1 to 65536.
    public var bufferSize: Int

    /// Makes settings.
    public init(
        consumer: String, activeLow: UInt64 = 0, bias: Bias = .unchanged, reportsEdges: Bool = true,
        debounce: Duration = .zero, bufferSize: Int = 1024
    ) {
        self.consumer = consumer
        self.activeLow = activeLow
        self.bias = bias
        self.reportsEdges = reportsEdges
        self.debounce = debounce
        self.bufferSize = bufferSize
    }
}
