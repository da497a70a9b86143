import DeviceCore
import DeviceProtocols
import DeviceTransport

/// Reads one element of `uplinks` in this program's own file.
struct UplinkReader {
    let section: ConfigurationSection
    let resolve: (String) -> String

    private static let common = [
        "name", "kind", "enabled", "dev-addr", "join-eui", "uplink-only", "store", "forward-crc",
    ]

    /// nil for one that is off or cannot be used.
    func read() -> UplinkConfiguration? {
        let kind: UplinkConfiguration.Kind?
        switch section.string("kind") {
        case "gwmp": kind = gwmp().map { .gwmp($0) }
        case "lns": kind = lns().map { .lns($0) }
        case "cluster": kind = cluster().map { .cluster($0) }
        case let word:
            section.problems.add(
                section.place("kind"),
                word.map { "\(JSONWriter.quoted($0.prefix(60))) is no kind of up-link" } ?? "it has no kind",
                hint: "Write \"gwmp\", \"lns\" or \"cluster\"")
            return nil
        }
        guard let kind, section.flag("enabled") ?? true else { return nil }
        var uplink = UplinkConfiguration(name: section.string("name") ?? defaultName(kind), kind: kind)
        if uplink.name.isEmpty || uplink.name.utf8.count > 60 || uplink.name.printable != uplink.name {
            section.problems.add(section.place("name"), "this is no name", hint: "Write 1 to 60 characters")
        }
        uplink.filter = filter()
        uplink.store = store(kind)
        uplink.forwards = policy()
        return uplink
    }

    private func defaultName(_ kind: UplinkConfiguration.Kind) -> String {
        switch kind {
        case .gwmp(let server): server.host
        case .lns(let server): (try? BrokerURL(server.url))?.host ?? "lns"
        case .cluster: "cluster"
        }
    }

    private func gwmp() -> GWMPServer? {
        section.refuseUnknown(
            Self.common + ["server", "port", "port-up", "port-down", "keepalive", "stat-interval", "ack-time"])
        guard let host = section.string("server"), SemtechGatewayReader.isHost(host) else {
            section.problems.add(
                section.place("server"), "the server's name or address is missing or wrong",
                hint: "Write \"server\": \"ns.example\"")
            return nil
        }
        var server = GWMPServer(host: host)
        if let port: Int = section.integer("port", in: 1...65535) { (server.portUp, server.portDown) = (port, port) }
        server.portUp = section.integer("port-up", in: 1...65535) ?? server.portUp
        server.portDown = section.integer("port-down", in: 1...65535) ?? server.portDown
        server.keepalive = section.duration("keepalive", in: .seconds(1)...(.seconds(3600))) ?? server.keepalive
        server.acknowledgementTime =
            section.duration("ack-time", in: .milliseconds(100)...(.seconds(30))) ?? server.acknowledgementTime
        if let interval = section.duration("stat-interval", in: .zero...(.seconds(86400))) {
            server.statInterval = interval == .zero ? nil : interval
        }
        return server
    }

    private func lns() -> LNSServer? {
        section.refuseUnknown(Self.common + ["url", "token-file", "ca", "certificate", "key"])
        guard let url = section.string("url"), let checked = try? BrokerURL(url), checked.framing == .webSocket else {
            section.problems.add(
                section.place("url"), "the server's address is missing or wrong",
                hint: "Write \"url\": \"wss://lns.example:8887\"")
            return nil
        }
        var server = LNSServer(url: url)
        if let file = section.string("token-file") {
            server.headers = token(resolve(file))
            if !checked.isSecure {
                section.problems.add(
                    section.place("token-file"), "a token would be sent without TLS",
                    hint: "Use wss://, or remove the token")
            }
        }
        (server.authorities, server.certificate, server.key) = identity()
        return server
    }

    /// A bare token, or lines `Name: value` as Basics Station's tc.key has them.
    private func token(_ path: String) -> [String] {
        do throws(DeviceError) {
            return Self.headers(String(decoding: try SystemFile.read(path, limit: 16_384), as: UTF8.self))
        } catch {
            section.problems.add(section.place("token-file"), error.message, hint: "Check the path and who may read it")
            return []
        }
    }

    /// Reads header lines; a text that is none is a token of The Things Stack.
    static func headers(_ text: String) -> [String] {
        let lines = text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.isEmpty }
        if lines.count == 1, let line = lines.first, !line.contains(": ") {
            return ["Authorization: Bearer \(line.filter { !$0.isWhitespace })"]
        }
        return lines.filter { $0.contains(":") }
    }

    private func cluster() -> ClusterServer? {
        section.refuseUnknown(Self.common + ["brokers", "topic", "ca", "certificate", "key"])
        let brokers = section.strings("brokers", limit: 16)
        guard !brokers.isEmpty else {
            section.problems.add(
                section.place("brokers"), "the cluster's address is missing",
                hint: "Write \"brokers\": \"smq://cluster.example\"")
            return nil
        }
        for broker in brokers {
            do throws(DeviceError) { _ = try BrokerURL(broker) } catch {
                section.problems.add(section.place("brokers"), error.message, hint: error.hint)
            }
        }
        var server = ClusterServer(brokers: brokers)
        if let topic = section.string("topic") {
            if topic.isEmpty || topic.utf8.count > 100 {
                section.problems.add(section.place("topic"), "a topic has 1 to 100 bytes", hint: "Write \"lora\"")
            }
            server.topic = topic
        }
        (server.authorities, server.certificate, server.key) = identity()
        return server
    }

    private func identity() -> (String?, String?, String?) {
        let identity = (
            section.string("ca").map(resolve), section.string("certificate").map(resolve),
            section.string("key").map(resolve)
        )
        if (identity.1 == nil) != (identity.2 == nil) {
            section.problems.add(section.path, "certificate and key go together", hint: "Write both or none")
        }
        return identity
    }

    private func filter() -> UplinkFilter {
        var filter = UplinkFilter()
        for text in section.strings("dev-addr", limit: 64) {
            if let prefix = UplinkFilter.DevAddrPrefix(text) {
                filter.devAddr.append(prefix)
            } else {
                section.problems.add(
                    section.place("dev-addr"), "\(JSONWriter.quoted(text.prefix(60))) is no prefix of a DevAddr",
                    hint: "Write \"26000000/7\": eight hexadecimal digits and how many bits count")
            }
        }
        for text in section.strings("join-eui", limit: 64) {
            if let range = UplinkFilter.range(text) {
                filter.joinEUI.append(range)
            } else {
                section.problems.add(
                    section.place("join-eui"), "\(JSONWriter.quoted(text.prefix(60))) is no range of JoinEUIs",
                    hint: "Write \"70b3d57ed0000000-70b3d57ed0ffffff\"")
            }
        }
        filter.isUplinkOnly = section.flag("uplink-only") ?? false
        return filter
    }

    /// On by default for the project's own cluster only: other servers refuse the old frame counters.
    private func store(_ kind: UplinkConfiguration.Kind) -> StoreSettings? {
        if let isOn = section.value("store")?.boolValue { return isOn ? StoreSettings() : nil }
        if let settings = section.section("store") {
            settings.refuseUnknown(["megabytes", "age"])
            var store = StoreSettings()
            if let megabytes: Int = settings.integer("megabytes", in: 1...65536) { store.bytes = megabytes << 20 }
            store.age = settings.duration("age", in: .seconds(1)...(.seconds(366 * 86400))) ?? store.age
            return store
        }
        if case .cluster = kind { return StoreSettings() }
        return nil
    }

    private func policy() -> CRCPolicy {
        guard section.has("forward-crc") else { return CRCPolicy() }
        let words = section.strings("forward-crc", limit: 3)
        for word in words where !["valid", "bad", "none"].contains(word) {
            section.problems.add(
                section.place("forward-crc"), "\(JSONWriter.quoted(word.prefix(60))) is no state of a checksum",
                hint: "Write some of \"valid\", \"bad\", \"none\"")
        }
        return CRCPolicy(valid: words.contains("valid"), bad: words.contains("bad"), none: words.contains("none"))
    }
}
