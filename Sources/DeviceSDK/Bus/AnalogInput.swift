public import DeviceCore

/// An analogue input of the kernel's Industrial I/O (`/sys/bus/iio`): a ROCK Pi's SARADC, or a converter on a HAT.
///
/// A Raspberry Pi has none of its own. Files: Documentation/ABI/testing/sysfs-bus-iio.
public final class AnalogInput: AnalogSource {
    /// Device and channel, for a person.
    public let name: String
    private let path: String
    private let scale: Double?
    private let offset: Double

    /// The converters of this machine with the numbers of their voltage channels.
    public static func devices(
        directory: String = "/sys/bus/iio/devices"
    ) -> [(unit: Int, name: String, channels: [Int])] {
        BusFile.names(in: directory, prefixes: ["iio:device"]).compactMap { device in
            guard let unit = Int(device.dropFirst(10)) else { return nil }
            let channels = SystemFile.names(in: "\(directory)/\(device)").compactMap { file -> Int? in
                guard file.hasPrefix("in_voltage"), file.hasSuffix("_raw") else { return nil }
                return Int(file.dropFirst(10).dropLast(4))
            }
            guard !channels.isEmpty else { return nil }
            return (unit, (try? SystemFile.text("\(directory)/\(device)/name")) ?? device, channels.sorted())
        }.sorted { $0.unit < $1.unit }
    }

    /// Finds an input.
    ///
    /// - Throws: `.notFound` with the inputs that exist, `.permission`.
    public init(unit: Int, channel: Int, directory: String = "/sys/bus/iio/devices") throws(DeviceError) {
        let devices = Self.devices(directory: directory)
        guard let device = devices.first(where: { $0.unit == unit }), device.channels.contains(channel) else {
            let places = devices.map { device in
                "\(device.name) is unit \(device.unit), channels "
                    + device.channels.map(String.init).joined(separator: " ")
            }
            throw DeviceError(
                .notFound, "this machine has no analogue input \(unit):\(channel)",
                hint: places.isEmpty
                    ? "A Raspberry Pi has none; a converter on I2C or SPI needs its overlay (mcp3008, ads1015)"
                    : places.joined(separator: "; "))
        }
        let folder = "\(directory)/iio:device\(unit)"
        name = "\(device.name), channel \(channel)"
        path = "\(folder)/in_voltage\(channel)_raw"
        // A channel's own scale and offset come before those of all.
        func number(_ what: String) -> Double? {
            for file in ["in_voltage\(channel)_\(what)", "in_voltage_\(what)"] {
                if let text = try? SystemFile.text("\(folder)/\(file)"), let number = Double(text) { return number }
            }
            return nil
        }
        scale = number("scale")
        offset = number("offset") ?? 0
        _ = try raw()
    }

    /// The converter's number now.
    public func raw() throws(DeviceError) -> Int {
        let text = try SystemFile.text(path)
        guard let number = Int(text) else { throw DeviceError(.io, "\(path) holds no number") }
        return number
    }

    /// Millivolts: (raw + offset) * scale.
    public func millivolts(_ raw: Int) -> Double? { scale.map { (Double(raw) + offset) * $0 } }
}
