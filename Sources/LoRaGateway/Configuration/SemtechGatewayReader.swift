import DeviceCore
import DeviceProtocols

/// Reads `gateway_conf`: who the gateway is and which servers it speaks to.
struct SemtechGatewayReader {
    let section: ConfigurationSection

    func read(into configuration: inout GatewayConfiguration) {
        if section.has("gateway_ID") { configuration.eui = section.eui("gateway_ID") }
        let policy = CRCPolicy(
            valid: section.flag("forward_crc_valid") ?? true, bad: section.flag("forward_crc_error") ?? false,
            none: section.flag("forward_crc_disabled") ?? false)
        configuration.uplinks += servers(policy)
        if section.flag("fake_gps") == true || section.has("ref_latitude") {
            configuration.position = GatewayConfiguration.Position(
                latitude: section.number("ref_latitude", in: -90...90) ?? 0,
                longitude: section.number("ref_longitude", in: -180...180) ?? 0,
                altitude: section.integer("ref_altitude", in: -100_000...1_000_000) ?? 0)
        }
        configuration.beacon = beacon()
    }

    /// `server_address`, and the array `servers` that forks for several networks read.
    private func servers(_ policy: CRCPolicy) -> [UplinkConfiguration] {
        var uplinks: [UplinkConfiguration] = []
        var sections = section.sections("servers", limit: 16)
        if section.has("server_address") { sections.insert(section, at: 0) }
        for server in sections {
            guard server.flag("serv_enabled") ?? true, let host = server.string("server_address") else { continue }
            guard Self.isHost(host) else {
                section.problems.add(
                    server.place("server_address"), "\(JSONWriter.quoted(host.prefix(60))) is no name or address",
                    hint: "Write it without http:// and without a port")
                continue
            }
            if let type = server.string("serv_type"), type.lowercased() == "ttn" {
                section.problems.add(
                    server.place("serv_type"), "the old TTN connector protocol no longer has servers",
                    hint: "Remove this server, or add The Things Stack as an up-link of kind lns")
                continue
            }
            let up: Int? = server.integer("serv_port_up", in: 1...65535)
            let down: Int? = server.integer("serv_port_down", in: 1...65535)
            let keepalive: Int = section.integer("keepalive_interval", in: 1...3600) ?? 10
            let stat: Int = section.integer("stat_interval", in: 0...86400) ?? 30
            let gwmp = GWMPServer(
                host: host, portUp: up ?? down ?? 1700, portDown: down ?? up ?? 1700, keepalive: .seconds(keepalive),
                statInterval: stat == 0 ? nil : .seconds(stat))
            let name = gwmp.portUp == 1700 ? host : "\(host):\(gwmp.portUp)"
            uplinks.append(UplinkConfiguration(name: name, kind: .gwmp(gwmp), forwards: policy))
        }
        return uplinks
    }

    static func isHost(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "@") }
    }

    private func beacon() -> GatewayConfiguration.Beacon? {
        let period: UInt32 = section.integer("beacon_period", in: 0...86400) ?? 0
        guard period > 0 else { return nil }
        guard period == 128 else {
            section.problems.add(
                section.place("beacon_period"), "LoRaWAN's beacons come every 128 s", hint: "Write 128, or 0 for none")
            return nil
        }
        let factor: UInt8 = section.integer("beacon_datarate", in: 7...12) ?? 9
        guard BeaconLayout(spreadingFactor: factor) != nil else {
            section.problems.add(
                section.place("beacon_datarate"), "no region's beacon has SF\(factor)", hint: "Write 8, 9, 10 or 12")
            return nil
        }
        let bandwidth: UInt32 = section.integer("beacon_bw_hz", in: 125_000...500_000) ?? 125_000
        return GatewayConfiguration.Beacon(
            frequency: RadioFrequency(
                hertz: section.integer("beacon_freq_hz", in: 1_000_000...4_000_000_000) ?? 869_525_000),
            rate: LoRaDataRate(
                spreadingFactor: factor,
                bandwidth: UInt16(bandwidth / 1000)),
            power: section.integer("beacon_power", in: -20...40) ?? 14,
            information: section.integer("beacon_infodesc", in: 0...255) ?? 0)
    }
}
