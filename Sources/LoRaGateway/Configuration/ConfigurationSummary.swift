import DeviceProtocols

/// What the settings mean, for a person who checks them.
struct ConfigurationSummary {
    private let configuration: GatewayConfiguration

    init(_ configuration: GatewayConfiguration) { self.configuration = configuration }

    var text: String {
        var lines = ["Settings from \(configuration.files.joined(separator: ", ")): nothing is wrong."]
        lines.append("Gateway: \(configuration.eui?.description ?? "its EUI is made from the network card")")
        let region = RegionChoice.region(named: configuration.region, plan: configuration.plan)
        let why =
            configuration.region != nil
            ? "" : configuration.plan == nil ? ", as nothing says another" : ", by its channels"
        lines.append("Region: \(region?.name ?? "none; no duty cycle is kept")\(why)")
        if let plan = configuration.plan {
            lines.append("Channels: " + plan.channels.map { "\($0.frequency)" }.joined(separator: ", "))
        } else {
            lines.append("Channels: the region's usual ones")
        }
        switch configuration.radio {
        case .virtual: lines.append("Radio: the virtual concentrator, with virtual devices")
        case nil: lines.append("Radio: none; --simulate brings a virtual one")
        case .forwarder(let address): lines.append("Radio: another forwarder, which sends to \(address) (UDP)")
        case .lgwsim(let path): lines.append("Radio: the simulated radio at \(path)")
        }
        for uplink in configuration.uplinks { lines.append(line(uplink)) }
        return lines.joined(separator: "\n")
    }

    private func line(_ uplink: UplinkConfiguration) -> String {
        let place =
            switch uplink.kind {
            case .gwmp(let server):
                server.portUp == server.portDown
                    ? "\(server.host):\(server.portUp)" : "\(server.host):\(server.portUp)/\(server.portDown)"
            case .lns(let server): server.url
            case .cluster(let server): server.brokers.joined(separator: ", ")
            }
        var parts = ["Up-link \(uplink.name) (\(uplink.kind.word)): \(place)"]
        if let store = uplink.store {
            parts.append("keeps \(store.bytes >> 20) MiB, \(store.age.components.seconds) s")
        }
        if uplink.filter.isUplinkOnly { parts.append("uplinks only") }
        if !uplink.filter.devAddr.isEmpty {
            parts.append("DevAddr " + uplink.filter.devAddr.map(\.description).joined(separator: " "))
        }
        if !uplink.filter.joinEUI.isEmpty { parts.append("\(uplink.filter.joinEUI.count) ranges of JoinEUIs") }
        return parts.joined(separator: ", ")
    }
}
