import DeviceCore
import DeviceProtocols
import DeviceTransport

/// Reads the files that `--config` or `--station` names.
struct ConfigurationLoader {
    /// Reads a file's bytes; throws `.notFound` for one that is not there.
    var readFile: (String) throws(DeviceError) -> [UInt8] = { path throws(DeviceError) in
        try SystemFile.read(path, limit: JSONParsingOptions.settingsFile.maximumSize + 1)
    }

    private static let radioKeys = ["SX130x_conf", "SX1302_conf", "SX1301_conf"]
    private static let semtechKeys = radioKeys + ["gateway_conf", "debug_conf"]

    /// Whether a file is one of the gateway's, and not one whose keys are flags. False for what cannot be read.
    func isGatewayFile(_ path: String) -> Bool {
        guard let bytes = try? readFile(path),
            let members = try? JSONValue(parsing: bytes, named: path, options: .settingsFile).objectValue
        else { return false }
        let keys = Self.semtechKeys + ["uplinks", "semtech", "gateway", "radio", "region"]
        return members.keys.contains { keys.contains($0) }
    }

    /// The configuration, and all that is wrong with it; usable only without problems.
    func load(_ path: String) -> (GatewayConfiguration, ConfigurationProblems) {
        let problems = ConfigurationProblems()
        var configuration = GatewayConfiguration()
        guard let root = object(path, problems) else { return (configuration, problems) }
        if root.keys.contains(where: { Self.semtechKeys.contains($0) }) {
            var global = root
            configuration.files.append(path)
            let local = Self.sibling("local_conf.json", of: path)
            if local != path, let overrides = object(local, problems, isOptional: true) {
                global = Self.merged(global, overrides)
                configuration.files.append(local)
            }
            readSemtech(global, path, problems, into: &configuration)
            let own = Self.sibling("loragateway.json", of: path)
            if own != path, let members = object(own, problems, isOptional: true) {
                readOwn(members, own, problems, into: &configuration)
            }
        } else {
            var semtech: JSONObject?
            let section = ConfigurationSection(members: root, path: path, problems: problems)
            for file in section.strings("semtech", limit: 4) {
                let place = Self.sibling(file, of: path)
                guard let members = object(place, problems) else { continue }
                semtech = semtech.map { Self.merged($0, members) } ?? members
                configuration.files.append(place)
            }
            if let semtech { readSemtech(semtech, path, problems, into: &configuration) }
            readOwn(root, path, problems, into: &configuration)
        }
        check(&configuration, path, problems)
        return (configuration, problems)
    }

    private func readSemtech(
        _ root: JSONObject, _ path: String, _ problems: ConfigurationProblems,
        into configuration: inout GatewayConfiguration
    ) {
        let section = ConfigurationSection(members: root, path: path, problems: problems)
        if let key = Self.radioKeys.first(where: { section.has($0) }), let radio = section.section(key) {
            configuration.plan = SemtechRadioReader(section: radio).plan()
        }
        if let gateway = section.section("gateway_conf") {
            SemtechGatewayReader(section: gateway).read(into: &configuration)
        }
    }

    private func readOwn(
        _ members: JSONObject, _ path: String, _ problems: ConfigurationProblems,
        into configuration: inout GatewayConfiguration
    ) {
        configuration.files.append(path)
        let section = ConfigurationSection(members: members, path: path, problems: problems)
        OwnFileReader(section: section) { Self.sibling($0, of: path) }.read(into: &configuration)
    }

    /// What no single setting shows.
    private func check(
        _ configuration: inout GatewayConfiguration, _ path: String, _ problems: ConfigurationProblems
    ) {
        if let name = configuration.region, Region(named: name) == nil {
            problems.add(
                path, "\(JSONWriter.quoted(name.prefix(60))) is no region that is known",
                hint: "Known: \(Region.all.map(\.name).joined(separator: ", "))")
        }
        var names: Set<String> = []
        for index in configuration.uplinks.indices {
            let name = configuration.uplinks[index].name  // safe: index of the array
            if !names.insert(name).inserted {
                problems.add(path, "two up-links are called \(JSONWriter.quoted(name))", hint: "Give one another name")
            }
        }
        if case .forwarder(let radio)? = configuration.radio {
            for uplink in configuration.uplinks {
                guard case .gwmp(let server) = uplink.kind,
                    server.portUp == radio.port || server.portDown == radio.port,
                    Self.reaches(server.host, radio.host)
                else { continue }
                problems.add(
                    path,
                    "the up-link \(JSONWriter.quoted(uplink.name)) leads to \(radio), where this gateway itself "
                        + "listens for the radio's forwarder, so it would hear its own frames",
                    hint: "Write the network server's address, or give the radio another port: \"radio\": "
                        + "{\"kind\": \"forwarder\", \"listen\": \"127.0.0.1:1701\"}")
            }
        }
        if configuration.uplinks.isEmpty, problems.isEmpty {
            problems.add(
                path, "there is no up-link, so nobody would hear the frames",
                hint: "Write server_address in gateway_conf, or \"uplinks\" in loragateway.json")
        }
    }

    /// Whether a datagram to that host arrives at a socket of this machine that is bound to an address; as far as the
    /// text tells.
    private static func reaches(_ host: String, _ bound: String) -> Bool {
        func address(_ text: String) -> String { text.lowercased() == "localhost" ? "127.0.0.1" : text.lowercased() }
        let isAny = bound == "0.0.0.0" || bound == "::"
        return address(host) == address(bound) || isAny && ListenAddress(host: host, port: 0).isLoopback
    }

    private func object(_ path: String, _ problems: ConfigurationProblems, isOptional: Bool = false) -> JSONObject? {
        do throws(DeviceError) {
            let value = try JSONValue(parsing: try readFile(path), named: path, options: .settingsFile)
            if let members = value.objectValue { return members }
            problems.add(path, "it holds \(value.kind)", hint: "Write an object in braces")
        } catch {
            if isOptional, error.code == .notFound { return nil }
            problems.add(
                path, error.message.hasPrefix(path) ? String(error.message.dropFirst(path.count + 1)) : error.message,
                hint: error.hint)
        }
        return nil
    }

    /// One object over another: members win, objects are merged, arrays replaced, as a forwarder that reads both files
    /// one after the other does.
    static func merged(_ below: JSONObject, _ above: JSONObject) -> JSONObject {
        var result = below
        for (key, value) in above {
            if let upper = value.objectValue, let lower = below[key]?.objectValue {
                result[key] = .object(merged(lower, upper))
            } else {
                result[key] = value
            }
        }
        return result
    }

    /// A path as written in a file, which is relative to that file.
    static func sibling(_ name: String, of path: String) -> String {
        if name.hasPrefix("/") { return name }
        guard let slash = path.lastIndex(of: "/") else { return name }
        return String(path[...slash]) + name
    }
}
