public import DeviceCore

/// The temperature of the processor, from the kernel's thermal zones.
public struct CPUTemperature: Sendable {
    private let path: String

    /// Chooses the zone of the processor among those of `directory`. Throws `.notFound` where there is none.
    public init(directory: String = "/sys/class/thermal") throws(DeviceError) {
        let zones = SystemFile.names(in: directory).filter { $0.hasPrefix("thermal_zone") }
        let types = ["cpu", "soc", "package", "x86_pkg"]
        let wanted = zones.first { zone in
            let type = ((try? SystemFile.text("\(directory)/\(zone)/type")) ?? "").lowercased()
            return types.contains { type.hasPrefix($0) }
        }
        guard let chosen = wanted ?? zones.first else {
            throw DeviceError(
                .notFound, "this machine reports no temperature (no \(directory)/thermal_zone*)",
                hint: "Use a simulated temperature")
        }
        path = "\(directory)/\(chosen)/temp"
    }

    /// The temperature in tenths of a degree Celsius. Throws `.io` where the kernel has none now.
    public func tenths() throws(DeviceError) -> Int {
        let text = try SystemFile.text(path)
        guard let thousandths = Int(text), (-273_150...1_000_000).contains(thousandths) else {
            throw DeviceError(.io, "\(path) holds no temperature")
        }
        return (thousandths + (thousandths < 0 ? -50 : 50)) / 100
    }
}
