import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceTransport

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
        return configuration
    }

    /// The settings, and all that is wrong with them, alone or with the flags of this run.
    func load() -> (GatewayConfiguration, ConfigurationProblems) {
        switch options.source {
        case .file(let path): return checked(ConfigurationLoader().load(path), path)
        case .station(let path): return checked(StationDirectory(path: path).load(), path)
        case .builtIn: return (GatewayConfiguration(), ConfigurationProblems())
        }
    }

    private func checked(
        _ loaded: (GatewayConfiguration, ConfigurationProblems), _ path: String
    ) -> (GatewayConfiguration, ConfigurationProblems) {
        let (configuration, problems) = loaded
        if !options.isSimulated {
            switch configuration.radio {
            case nil:
                problems.add(
                    path, "the settings name no radio, and drivers of concentrators are to come",
                    hint: "Write \"radio\": {\"kind\": \"forwarder\"} into loragateway.json and run the vendor's "
                        + "forwarder, or add --simulate")
            case .forwarder(let address)? where !address.isLoopback && !options.isLAN:
                problems.add(
                    path, "the radio's forwarder is listened for at \(address), which other machines reach",
                    hint: "Add --lan (or DEVICE_LAN=true); anybody on that network can then send frames, since the "
                        + "protocol has no passwords")
            default: break
            }
        }
        // One of the command line is a matter of the command line.
        if options.page == nil, let page = configuration.page, !page.isLoopback, !options.isLAN {
            problems.add(
                path, "the page at \(page) is reachable from other machines",
                hint: "Add --lan (or DEVICE_LAN=true), which protects it by a token")
        }
        return (configuration, problems)
    }
}

extension GatewayConfiguration {
    /// The settings that differ from those in use and that only a start takes, as the files call them.
    func needingRestart(since used: GatewayConfiguration, _ options: GatewayServiceOptions) -> [String] {
        let differs = [
            ("gateway", eui != used.eui),
            ("radio", !options.isSimulated && radio != used.radio),
            ("page", options.page == nil && (page, pageNames) != (used.page, used.pageNames)),
            (
                "scripts",
                !options.scripts.isUsed
                    && (scripts.directory, scripts.scripts, scriptRules)
                        != (used.scripts.directory, used.scripts.scripts, used.scriptRules)
            ),
        ]
        return differs.compactMap { name, isOther in isOther ? name : nil }
    }
}
