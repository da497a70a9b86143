public import DeviceCore
import DeviceSDK

/// What scripts of this process may reach of the machine: one for all apps, because a pin has one owner.
public final class ScriptBoard: Sendable {
    /// Where lines are.
    public let backend: any GPIOBackend
    let buses: any BoardBuses
    let pins: ScriptPinMap
    let owners = ScriptPinOwners()
    /// The clock as it was given, and wrapped.
    let time: any Clock<Duration>
    let clock: DeviceClock
    private let restart: (@Sendable () -> Void)?
    private let indicator: (@Sendable (Bool?) throws -> Bool)?

    /// A board for scripts.
    ///
    /// - Parameters:
    ///   - backend: where lines are.
    ///   - buses: where I2C, serial lines and analogue inputs are.
    ///   - pins: which line a script's number means.
    ///   - clock: what fades and level triggers are timed by.
    ///   - indicator: `LED.setLed` and `LED.getLed`: switches, or with nil only tells; nil where there is none.
    ///   - restart: what `esp32.execute"restart"` does, for apps with the permission `restart`.
    public init(
        backend: any GPIOBackend, buses: any BoardBuses, pins: ScriptPinMap = ScriptPinMap(),
        clock: any Clock<Duration> = ContinuousClock(), indicator: (@Sendable (Bool?) throws -> Bool)? = nil,
        restart: (@Sendable () -> Void)? = nil
    ) {
        self.backend = backend
        self.buses = buses
        self.pins = pins
        time = clock
        self.clock = DeviceClock(clock)
        self.indicator = indicator
        self.restart = restart
    }

    /// The line of a script's pin. Throws in Xedge32's words.
    func line(of pin: Int) throws(DeviceError) -> LineAddress {
        guard let line = pins.line(of: pin) else {
            throw DeviceError(
                .invalidArgument, "Invalid pin \(pin)", hint: "Pins are Broadcom's numbers, 0 to 27, or mapped ones")
        }
        return line
    }

    /// A pin that a script has, for a page or a terminal.
    public struct UsedPin: Hashable, Sendable {
        /// The script's number.
        public let pin: Int
        /// The line's name on this board.
        public let line: String
        /// The app.
        public let app: String
        /// Whether it is high; nil where that is not told, as for PWM.
        public let isHigh: Bool?
    }

    /// The pins that scripts have now.
    public var usedPins: [UsedPin] {
        owners.all.map { entry in
            let line = (try? line(of: entry.pin)).flatMap { try? backend.find($0) }
            let signal = line?.pin.flatMap { backend.board.pin($0)?.signal }
            return UsedPin(
                pin: entry.pin, line: line?.name ?? signal ?? "pin \(entry.pin)", app: entry.owner, isHigh: entry.level)
        }
    }

    func setIndicator(_ on: Bool?) throws -> Bool {
        guard let indicator else { throw DeviceError(.unsupported, "this device has no LED of its own for scripts") }
        return try indicator(on)
    }

    /// False where nobody offered to.
    func restartDevice() -> Bool {
        guard let restart else { return false }
        restart()
        return true
    }
}
