public import DeviceCore

/// An analogue input whose number a test sets.
public final class SimulatedAnalogInput: AnalogSource {
    /// What it is called in messages.
    public let name: String
    private let value: Locked<Int>
    private let scale: Double

    /// A 10-bit converter at 1.8 V, as a ROCK Pi 4's, unless told otherwise.
    public init(_ value: Int = 0, millivoltsPerStep scale: Double = 1800.0 / 1023, name: String = "simulated ADC") {
        self.value = Locked(value)
        self.scale = scale
        self.name = name
    }

    /// Sets the number.
    public func set(_ raw: Int) { value.withLock { $0 = raw } }
    /// The number now.
    public func raw() throws(DeviceError) -> Int { value.withLock { $0 } }
    /// Millivolts of a number.
    public func millivolts(_ raw: Int) -> Double? { Double(raw) * scale }
}

/// The buses of a simulated board: an I2C bus 0 and 1 with a BME280 at 0x76 on both, serial lines that echo, and eight
/// analogue inputs.
public final class SimulatedBuses: BoardBuses {
    /// The device that is on both I2C buses.
    public let sensor = SimulatedBME280()
    private let analogInputs = (0..<8).map { SimulatedAnalogInput($0 * 100, name: "simulated ADC, channel \($0)") }
    private let lines = Locked<[Int: SimulatedSerialLine]>([:])
    private let devices = Locked<[UInt8: any SimulatedI2CDevice]>([:])

    /// Buses with what is described above.
    public init() {}

    /// Puts a device on both I2C buses, for those who open one from now on.
    public func connect(_ device: any SimulatedI2CDevice, at address: UInt8) {
        devices.withLock { $0[address] = device }
    }

    /// The analogue input of a channel.
    public func input(_ channel: Int) -> SimulatedAnalogInput? {
        analogInputs.indices.contains(channel) ? analogInputs[channel] : nil  // safe: checked in the same line
    }

    /// The serial line that was opened last on a port.
    public func line(_ port: Int) -> SimulatedSerialLine? { lines.withLock { $0[port] } }

    /// Opens an I2C bus.
    public func i2c(_ port: Int) throws(DeviceError) -> any I2CController {
        guard (0...1).contains(port) else {
            throw DeviceError(.notFound, "there is no /dev/i2c-\(port)", hint: "Buses here: 0, 1")
        }
        let bus = SimulatedI2CBus(name: "simulated I2C bus \(port)")
        bus.connect(sensor, at: 0x76)
        for (address, device) in devices.withLock({ $0 }) { bus.connect(device, at: address) }
        return bus
    }

    /// Opens a serial line that echoes.
    public func serial(_ port: Int, _ settings: SerialSettings) throws(DeviceError) -> any SerialLine {
        try settings.check()
        guard (0...2).contains(port) else {
            throw DeviceError(.notFound, "there is no /dev/serial\(port)", hint: "Serial ports here: 0, 1, 2")
        }
        let line = SimulatedSerialLine(settings, name: "simulated serial line \(port)")
        lines.withLock { $0[port] = line }
        return line
    }

    /// An analogue input of unit 0 or 1.
    public func analog(unit: Int, channel: Int) throws(DeviceError) -> any AnalogSource {
        guard (0...1).contains(unit), let input = input(channel) else {
            throw DeviceError(
                .notFound, "there is no analogue input \(unit):\(channel)", hint: "Units 0 and 1, channels 0 to 7")
        }
        return input
    }

    /// None: software switches all lines of a simulated board.
    public func pwm(on line: GPIOLine) throws(DeviceError) -> (any PWMChannel)? { nil }
}
