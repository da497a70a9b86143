import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceTransport

/// Reads this program's own file: what Semtech's files have no words for. `docs/lora-gateway.md` lists its settings.
struct OwnFileReader {
    let section: ConfigurationSection
    /// Turns a path in the file, which is relative to the file, into one for this process.
    let resolve: (String) -> String

    private static let keys = [
        "semtech", "gateway", "region", "airtime", "radio", "uplinks", "page", "page-name", "position", "apps",
        "script", "app-limit", "app-permit", "lbt",
    ]

    func read(into configuration: inout GatewayConfiguration) {
        section.refuseUnknown(Self.keys)
        if section.has("gateway") { configuration.eui = section.eui("gateway") }
        if let region = section.string("region") { configuration.region = region }
        if let airtime = section.string("airtime") {
            switch airtime {
            case "enforce": configuration.enforcesAirtime = true
            case "trust-server": configuration.enforcesAirtime = false
            default: problem("airtime", "\(quoted(airtime)) is no policy", "Write \"enforce\" or \"trust-server\"")
            }
        }
        configuration.listensBeforeTalk = section.flag("lbt") ?? configuration.listensBeforeTalk
        if let radio = section.section("radio") { readRadio(radio, into: &configuration) }
        for uplink in section.sections("uplinks", limit: 16) {
            if let uplink = UplinkReader(section: uplink, resolve: resolve).read() {
                configuration.uplinks.append(uplink)
            }
        }
        if let text = section.string("page") {
            do throws(DeviceError) { configuration.page = try ListenAddress(text) } catch {
                problem("page", error.message, error.hint)
            }
        }
        configuration.pageNames += section.strings("page-name", limit: 16)
        configuration.scripts = ScriptSources(
            directory: section.string("apps").map(resolve),
            scripts: section.strings("script", limit: 16).map(resolve))
        let (limits, permissions) = (section.strings("app-limit", limit: 64), section.strings("app-permit", limit: 64))
        configuration.scriptRules = limits + permissions
        do throws(DeviceError) {
            configuration.scripts.settings = try LuaAppSettings(
                limits: limits, permissions: permissions,
                kinds: GatewayConfiguration.scriptPermissionKinds, flags: ("app-limit", "app-permit"))
        } catch {
            problem("script", error.message, error.hint)
        }
        if let position = section.section("position") {
            position.refuseUnknown(["latitude", "longitude", "altitude"])
            configuration.position = GatewayConfiguration.Position(
                latitude: position.number("latitude", in: -90...90) ?? 0,
                longitude: position.number("longitude", in: -180...180) ?? 0,
                altitude: position.integer("altitude", in: -100_000...1_000_000) ?? 0)
        }
    }

    private func readRadio(_ radio: ConfigurationSection, into configuration: inout GatewayConfiguration) {
        radio.refuseUnknown(["kind", "listen", "socket"])
        switch radio.string("kind") {
        case "virtual": configuration.radio = .virtual
        case "forwarder":
            do throws(DeviceError) {
                configuration.radio = .forwarder(try ListenAddress(radio.string("listen") ?? "127.0.0.1:1700"))
            } catch {
                section.problems.add(radio.place("listen"), error.message, hint: error.hint)
            }
        case "lgwsim":
            let socket = resolve(radio.string("socket") ?? "spidev")
            if socket.utf8.count > 100 {
                section.problems.add(radio.place("socket"), "this path is longer than a unix socket's can be")
            }
            configuration.radio = .lgwsim(socket)
        case let kind:
            section.problems.add(
                radio.place("kind"), kind.map { "\(quoted($0)) is no kind of radio" } ?? "the radio has no kind",
                hint: "Write \"virtual\", \"forwarder\" or \"lgwsim\"")
        }
    }

    private func problem(_ key: String, _ what: String, _ hint: String?) {
        section.problems.add(section.place(key), what, hint: hint)
    }

    private func quoted(_ text: String) -> String { JSONWriter.quoted(text.prefix(60)) }
}
