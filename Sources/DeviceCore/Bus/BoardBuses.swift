/// The buses of a board by number, of this machine or simulated, so that a program finds them in the same way on both.
public protocol BoardBuses: Sendable {
    /// Opens an I2C bus. Throws `.notFound` with the buses that exist, `.permission` with the group that is missing.
    func i2c(_ port: Int) throws(DeviceError) -> any I2CController
    /// Opens a serial line. Throws `.notFound`, `.permission`, `.busy`, `.invalidArgument`.
    func serial(_ port: Int, _ settings: SerialSettings) throws(DeviceError) -> any SerialLine
    /// Opens an analogue input. Throws `.notFound` with what there is.
    func analog(unit: Int, channel: Int) throws(DeviceError) -> any AnalogSource
    /// The hardware PWM output that is on a line, or nil where software has to switch it.
    func pwm(on line: GPIOLine) throws(DeviceError) -> (any PWMChannel)?
}
