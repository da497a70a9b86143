import DeviceCore
import DeviceProtocols
import DeviceTransport

/// A directory as Basics Station has it: tc.uri, tc.trust, tc.crt, tc.key, station.conf.
///
/// tc.key without tc.crt holds header lines such as `Authorization: Bearer …`; with it, the certificate's key.
struct StationDirectory {
    let path: String
    var readFile: (String) throws(DeviceError) -> [UInt8] = { path throws(DeviceError) in
        try SystemFile.read(path, limit: JSONParsingOptions.settingsFile.maximumSize + 1)
    }

    private func file(_ name: String) -> String { path.hasSuffix("/") ? path + name : "\(path)/\(name)" }

    private func text(_ name: String) -> String? {
        (try? readFile(file(name))).map { bytes in
            String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: "\n")
        }
    }

    /// The configuration, and what is wrong with the directory.
    func load() -> (GatewayConfiguration, ConfigurationProblems) {
        let problems = ConfigurationProblems()
        var configuration = GatewayConfiguration()
        configuration.radio = .lgwsim(file("spidev"))
        guard let url = text("tc.uri"), let checked = try? BrokerURL(url), checked.framing == .webSocket else {
            problems.add(
                file("tc.uri"), "there is no address of a network server in it", hint: "Write wss://lns.example:8887")
            return (configuration, problems)
        }
        configuration.files.append(file("tc.uri"))
        var server = LNSServer(url: url)
        if text("tc.trust") != nil { server.authorities = file("tc.trust") }
        if text("tc.crt") != nil {
            (server.certificate, server.key) = (file("tc.crt"), file("tc.key"))
        } else if let lines = text("tc.key") {
            server.headers = UplinkReader.headers(lines)
            if !checked.isSecure {
                problems.add(file("tc.key"), "a token would be sent without TLS", hint: "Use wss:// in tc.uri")
            }
        }
        configuration.uplinks = [UplinkConfiguration(name: checked.host, kind: .lns(server))]
        readStation(problems, into: &configuration)
        return (configuration, problems)
    }

    /// Of station.conf only what concerns this program: `station_conf.routerid`, and the radio's own settings.
    private func readStation(_ problems: ConfigurationProblems, into configuration: inout GatewayConfiguration) {
        let path = file("station.conf")
        do throws(DeviceError) {
            let value = try JSONValue(parsing: try readFile(path), named: path, options: .settingsFile)
            configuration.files.append(path)
            guard let members = value["station_conf"]?.objectValue else { return }
            let section = ConfigurationSection(members: members, path: "\(path): station_conf", problems: problems)
            // Basics Station also takes the name of a file or a network card here; those do not look like an EUI.
            if let text = section.string("routerid"), let eui = GatewayEUI(text.filter { $0 != "-" && $0 != ":" }) {
                configuration.eui = eui
            }
        } catch {
            guard error.code != .notFound else { return }
            problems.add(path, error.message, hint: error.hint)
        }
    }
}
