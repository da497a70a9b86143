public import DeviceCore

/// An LED on a GPIO line, of a real or a simulated board.
///
/// ```swift
/// let gpio = try LibgpiodBackend()
/// let led = try LED("pin11", on: gpio)
/// try led.blink(on: .milliseconds(200), off: .milliseconds(800))
/// ```
///
/// Every command ends the one before it: `on()` during a blink leaves the LED on. Commands may come from any thread
/// and return at once; blinking, pulsing and brightness go on in the background and end with the next command, with
/// ``close(_:)`` or when the last reference to the LED goes. Commands throw `.closed` after ``close(_:)`` and `.io`
/// where the kernel refuses; what fails in the background is kept in ``failure``.
public final class LED: Sendable {
    private let driver: LEDDriver

    /// Takes a line as an output.
    ///
    /// - Parameters:
    ///   - address: the line; a literal such as `"GPIO17"` or `"pin11"` will do.
    ///   - backend: where the line is.
    ///   - activeLow: a low level lights the LED.
    ///   - initially: lit from the start.
    ///   - release: what becomes of the line at the end.
    ///   - consumer: the owner's name that others see (`gpioinfo`).
    ///   - clock: what blinking and brightness are timed by.
    /// - Throws: `.notFound`, `.invalidArgument`, `.busy` (naming the owner), `.permission`, `.io`.
    public init(
        _ address: LineAddress, on backend: any GPIOBackend, activeLow: Bool = false, initially: Bool = false,
        release: ReleasePolicy = .off, consumer: String = "DeviceSDK LED",
        clock: any Clock<Duration> = ContinuousClock()
    ) throws(DeviceError) {
        let settings = OutputSettings(
            consumer: consumer, activeLow: activeLow ? 1 : 0, values: initially ? 1 : 0, release: release)
        let request = try backend.requestOutputs([backend.find(address)], settings)
        driver = LEDDriver(request: request, isLit: initially, clock: DeviceClock(clock))
    }

    deinit { driver.close(nil) }

    /// The line, or nil for one that the backend did not name.
    public var line: GPIOLine? { driver.request.lines.first }
    /// Whether it is lit now, at this moment of a blink.
    public var isLit: Bool { driver.brightness > 0 }
    /// How bright it is now, 0 to 1.
    public var brightness: Double { driver.brightness }
    /// Why the last background effect ended by itself, or nil.
    public var failure: DeviceError? { driver.failure }
    /// Whether a blink, a pulse or a brightness between 0 and 1 runs in the background.
    public var isBusy: Bool { driver.hasEffect }

    /// Switches it on.
    public func on() throws(DeviceError) { try driver.set(true) }
    /// Switches it off.
    public func off() throws(DeviceError) { try driver.set(false) }
    /// Switches it over; returns whether it is lit now.
    @discardableResult
    public func toggle() throws(DeviceError) -> Bool { try driver.toggle() }

    /// Makes it so bright, 0 to 1, by switching it 100 times a second in the background.
    ///
    /// Software does the switching, so a loaded machine flickers. Throws `.invalidArgument` outside 0 to 1.
    public func setBrightness(_ brightness: Double) throws(DeviceError) {
        guard brightness >= 0, brightness <= 1 else {
            throw DeviceError(.invalidArgument, "brightness \(brightness) is not between 0 and 1")
        }
        if brightness == 0 || brightness == 1 { return try driver.set(brightness == 1) }
        try driver.start(.steady(brightness))
    }

    /// Blinks in the background, for ever or `count` times, beginning lit and ending dark.
    ///
    /// Throws `.invalidArgument` for times below a millisecond.
    public func blink(
        on: Duration = .seconds(1), off: Duration = .seconds(1), count: Int? = nil
    ) throws(DeviceError) {
        guard on >= .milliseconds(1), off >= .milliseconds(1), (count ?? 1) > 0 else {
            throw DeviceError(
                .invalidArgument, "cannot blink \(on) on and \(off) off" + (count.map { ", \($0) times" } ?? ""),
                hint: "Times are at least a millisecond and the count at least 1")
        }
        try driver.start(.blink(on: on, off: off, count: count))
    }

    /// Fades in and out in the background, for ever or `count` times.
    ///
    /// Throws `.invalidArgument` for times below 20 milliseconds.
    public func pulse(
        fadeIn: Duration = .seconds(1), fadeOut: Duration = .seconds(1), count: Int? = nil
    ) throws(DeviceError) {
        guard fadeIn >= .milliseconds(20), fadeOut >= .milliseconds(20), (count ?? 1) > 0 else {
            throw DeviceError(
                .invalidArgument, "cannot pulse \(fadeIn) in and \(fadeOut) out",
                hint: "Times are at least 20 milliseconds and the count at least 1")
        }
        try driver.start(.pulse(fadeIn: fadeIn, fadeOut: fadeOut, count: count))
    }

    /// Ends what runs and gives the line back, as `policy` says or, with nil, as was said at the start.
    public func close(_ policy: ReleasePolicy? = nil) { driver.close(policy) }
}
