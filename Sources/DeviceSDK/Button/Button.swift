public import DeviceCore

/// A push button on a GPIO line, of a real or a simulated board.
///
/// ```swift
/// let button = try Button("GPIO22", on: gpio)      // between the pin and ground
/// for await event in button.events() where event.kind == .pressed { try led.toggle() }
/// ```
///
/// A level counts once it was quiet for the debounce time, so neither a press nor a release is lost to bouncing.
/// Streams begin with the next event, end with ``close()`` or when the last reference to the button goes, and keep
/// the newest events for a slow reader; ``lostEvents`` counts what was lost anywhere.
public final class Button: Sendable {
    private let watcher: ButtonWatcher

    /// Takes a line as an input.
    ///
    /// - Parameters:
    ///   - address: the line; a literal such as `"GPIO22"` or `"pin15"` will do.
    ///   - backend: where the line is.
    ///   - pull: the chip's resistor. `.pullUp` is for a button to ground, `.pullDown` for one to the supply. The
    ///     drivers of ROCK boards ignore it: use a resistor there.
    ///   - activeLow: a low level means pressed; nil: whenever `pull` is not `.pullDown`.
    ///   - debounce: how long a level must be quiet; zero reports every edge.
    ///   - holdTime: after how long a press counts as held.
    ///   - bufferSize: how many events wait for a slow reader, in each stream.
    ///   - consumer: the owner's name that others see.
    ///   - clock: what the hold time is measured by.
    /// - Throws: `.notFound`, `.invalidArgument`, `.busy` (naming the owner), `.permission`, `.io`.
    public init(
        _ address: LineAddress, on backend: any GPIOBackend, pull: Bias = .pullUp, activeLow: Bool? = nil,
        debounce: Duration = .milliseconds(10), holdTime: Duration = .seconds(1), bufferSize: Int = 256,
        consumer: String = "DeviceSDK Button", clock: any Clock<Duration> = ContinuousClock()
    ) throws(DeviceError) {
        guard debounce >= .zero, debounce <= .seconds(10), holdTime > .zero, (1...65536).contains(bufferSize) else {
            throw DeviceError(
                .invalidArgument, "cannot watch a button with debounce \(debounce) and hold time \(holdTime)",
                hint: "Debounce is 0 to 10 seconds, the hold time above 0, the buffer 1 to 65536")
        }
        let settings = InputSettings(
            consumer: consumer, activeLow: (activeLow ?? (pull != .pullDown)) ? 1 : 0, bias: pull,
            debounce: debounce, bufferSize: max(bufferSize, 1024))
        let request = try backend.requestInputs([backend.find(address)], settings)
        do throws(DeviceError) {
            let isPressed = try request.values() & 1 == 1
            watcher = ButtonWatcher(
                request: request, isPressed: isPressed, holdTime: holdTime, bufferSize: bufferSize,
                clock: DeviceClock(clock))
        } catch {
            request.close()
            throw error
        }
        watcher.begin()
    }

    deinit { watcher.close() }

    /// The line.
    public var line: GPIOLine? { watcher.request.lines.first }
    /// Whether it is down, as of the last event.
    public var isPressed: Bool { watcher.isPressed }
    /// Whether it has been down for the hold time.
    public var isHeld: Bool { watcher.isHeld }
    /// Events that were lost: in the kernel (with libgpiod 1 at least so many) or because a reader was slow.
    public var lostEvents: UInt64 { watcher.lostEvents }

    /// What the button does from now on. Each call makes a stream of its own, for one reader.
    public func events() -> AsyncStream<ButtonEvent> { watcher.subscribe(nil) }
    /// The times at which it is pressed from now on.
    public func presses() -> AsyncStream<ButtonEvent> { watcher.subscribe(.pressed) }
    /// The times at which it is let go from now on.
    public func releases() -> AsyncStream<ButtonEvent> { watcher.subscribe(.released) }
    /// The times at which it has been held long enough from now on.
    public func holds() -> AsyncStream<ButtonEvent> { watcher.subscribe(.held) }

    /// Returns at the next press, or at once when it is down already; false when the button is closed first.
    public func waitForPress() async -> Bool {
        let presses = presses()
        if isPressed { return true }
        for await _ in presses { return true }
        return false
    }

    /// Returns when it is let go, or at once when it is up already; false when the button is closed first.
    public func waitForRelease() async -> Bool {
        let releases = releases()
        if !isPressed { return true }
        for await _ in releases { return true }
        return false
    }

    /// Ends every stream and gives the line back.
    public func close() { watcher.close() }
}
