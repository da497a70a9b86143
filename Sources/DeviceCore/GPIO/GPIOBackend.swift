/// Where GPIO lines come from: the kernel's chips, or a simulated board.
///
/// All addresses are resolved in the same way (``LineResolver``), so a program that finds its lines on one backend
/// finds them on the other, and gets the same errors.
public protocol GPIOBackend: Sendable {
    /// The board whose header pins can be used as addresses.
    var board: Board { get }
    /// What this backend is, for a person: `libgpiod 1.6.3`.
    var name: String { get }

    /// The chips of this machine. Throws `.permission` where they may not be opened.
    func chips() throws(DeviceError) -> [GPIOChip]
    /// The line at an address. Throws `.notFound`, with close names, or `.invalidArgument` for a pin that is no GPIO.
    func find(_ address: LineAddress) throws(DeviceError) -> GPIOLine
    /// What is known of a line now.
    func info(_ line: GPIOLine) throws(DeviceError) -> LineInfo
    /// Takes lines of one chip as outputs. Throws `.busy`, with the owner, when another uses one of them.
    func requestOutputs(_ lines: [GPIOLine], _ settings: OutputSettings) throws(DeviceError) -> any OutputRequest
    /// Takes lines of one chip as inputs. Throws `.busy`, with the owner, when another uses one of them.
    func requestInputs(_ lines: [GPIOLine], _ settings: InputSettings) throws(DeviceError) -> any InputRequest
}

/// Outputs that this program owns. Masks have bit i for the i-th line; values are logical: 1 is active.
///
/// Any thread may call. The lines are given back by ``close(_:)`` or when the last reference goes.
public protocol OutputRequest: AnyObject, Sendable {
    /// The lines in their order.
    var lines: [GPIOLine] { get }
    /// What was set last.
    var values: UInt64 { get }
    /// The levels that are on the lines now; an open-drain line that others share can be low although it was set high.
    /// Throws `.closed` or `.io`.
    func levels() throws(DeviceError) -> UInt64
    /// Sets the lines in `mask` at once and leaves the others. Throws `.closed` or `.io`.
    func set(_ values: UInt64, mask: UInt64) throws(DeviceError)
    /// Gives the lines back; with nil as the settings said. Does nothing the second time.
    func close(_ policy: ReleasePolicy?)
}

/// Inputs that this program owns. Masks have bit i for the i-th line; values are logical: 1 is active.
///
/// Whoever requested them must call ``close()``: until then something waits for their edges.
public protocol InputRequest: AnyObject, Sendable {
    /// The lines in their order.
    var lines: [GPIOLine] { get }
    /// The edges, debounced, in the order in which they happened. For one reader; ends with ``close()``.
    var edges: AsyncStream<EdgeEvent> { get }
    /// Edges that were lost: in the kernel (libgpiod 1: at least) and because the reader was slow.
    var lostEdges: UInt64 { get }
    /// The levels now. Throws `.closed` or `.io`.
    func values() throws(DeviceError) -> UInt64
    /// Gives the lines back. Does nothing the second time.
    func close()
}

/// A line that became active or inactive.
public struct EdgeEvent: Hashable, Sendable {
    /// The line's index in its request.
    public let index: Int
    /// Whether it became active.
    public let isActive: Bool
    /// When, on the backend's monotonic clock; with debouncing, the end of the quiet period.
    public let time: MonotonicTime

    /// Makes an event.
    public init(index: Int, isActive: Bool, time: MonotonicTime) {
        self.index = index
        self.isActive = isActive
        self.time = time
    }
}

extension GPIOBackend {
    /// What is known of the line at an address now.
    public func info(at address: LineAddress) throws(DeviceError) -> LineInfo { try info(find(address)) }
}
