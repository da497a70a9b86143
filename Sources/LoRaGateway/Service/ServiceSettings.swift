import DeviceCore
import DeviceProtocols

/// The settings of a run: read from the files that the command line names, and checked.
struct ServiceSettings {
    private let options: GatewayServiceOptions

    init(_ options: GatewayServiceOptions) { self.options = options }

    /// - Throws: `.configuration` with a sentence for each problem.
    func configuration() throws(DeviceError) -> GatewayConfiguration {
        let (configuration, problems) = load()
        guard problems.isEmpty else {
            throw DeviceError(
                .configuration, "the settings are wrong:\n\(problems.text)", hint: "--check-config tells the same")
        }
        guard options.isSimulated || configuration.radio != nil else {
            throw DeviceError(
                .configuration, "the settings name no radio, and drivers of concentrators are to come",
                hint: "Write \"radio\": {\"kind\": \"forwarder\"} into loragateway.json and run the vendor's "
                    + "forwarder, or add --simulate")
        }
        return configuration
    }

    /// The settings, and all that is wrong with them.
    func load() -> (GatewayConfiguration, ConfigurationProblems) {
        switch options.source {
        case .file(let path): return ConfigurationLoader().load(path)
        case .station(let path): return StationDirectory(path: path).load()
        case .builtIn: return (GatewayConfiguration(), ConfigurationProblems())
        }
    }
}
