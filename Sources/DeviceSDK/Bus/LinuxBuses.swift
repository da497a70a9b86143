public import DeviceCore

/// The buses of this machine.
public struct LinuxBuses: BoardBuses {
    /// The device files of serial ports by number; one that is not named here is `/dev/serialN`.
    public var serialPorts: [Int: String]
    /// The hardware PWM outputs by line name; others are switched by software.
    public var pwmOutputs: [String: (chip: Int, channel: Int)]

    /// Names what this machine has.
    public init(serialPorts: [Int: String] = [:], pwmOutputs: [String: (chip: Int, channel: Int)] = [:]) {
        self.serialPorts = serialPorts
        self.pwmOutputs = pwmOutputs
    }

    /// `/dev/i2c-N`.
    public func i2c(_ port: Int) throws(DeviceError) -> any I2CController { try I2CBus(port) }

    /// The serial port of a number.
    public func serial(_ port: Int, _ settings: SerialSettings) throws(DeviceError) -> any SerialLine {
        try SerialPort(serialPorts[port] ?? "/dev/serial\(port)", settings)
    }

    /// Unit and channel of the kernel's Industrial I/O.
    public func analog(unit: Int, channel: Int) throws(DeviceError) -> any AnalogSource {
        try AnalogInput(unit: unit, channel: channel)
    }

    /// The output that the settings name for a line.
    public func pwm(on line: GPIOLine) throws(DeviceError) -> (any PWMChannel)? {
        guard let name = line.name, let place = pwmOutputs[name] else { return nil }
        return try PWMOutput(chip: place.chip, channel: place.channel)
    }
}
