/// An analogue input, of the kernel or simulated.
public protocol AnalogSource: AnyObject, Sendable {
    /// What this input is, for a person: `saradc, channel 0`.
    var name: String { get }
    /// The converter's number now. Blocks while it converts. Throws `.io`.
    func raw() throws(DeviceError) -> Int
    /// Millivolts of a number, or nil where the driver does not tell its scale.
    func millivolts(_ raw: Int) -> Double?
}
