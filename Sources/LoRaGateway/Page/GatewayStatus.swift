import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceSimulator
import NIOCore

/// Everything about a gateway at one moment, as JSON for the page. Made on the gateway's event loop.
struct GatewayStatus {
    private let handle: GatewayHandle
    private let core: GatewayCore
    private let scripts: GatewayScripts?

    init(_ handle: GatewayHandle, _ scripts: GatewayScripts?) {
        self.handle = handle
        self.scripts = scripts
        core = handle.bound.value
    }

    var json: String {
        var members: [(String, JSONValue)] = [
            ("gateway", .string(handle.eui.description)),
            ("region", core.desk.queue.settings.region.map { .string($0.name) } ?? .null),
            ("time", .integer(HostTime.now.microseconds / 1000)),
            ("uptime", .integer((handle.clock.now - handle.startedAt).components.seconds)), ("radio", radio),
            ("uplinks", .array(core.channels.map(uplink))), ("queue", queue), ("duty", .array(duty)),
            ("sieve", sieve), ("warnings", object(core.warnings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })),
        ]
        let history = core.history
        members.append(("frames", .array(history.frames.suffix(GatewayHistory.frameLimit).map(frame))))
        members.append(("downlinks", .array(history.downlinks.map(downlink))))
        members.append(("minutes", .array(history.minutes.map(minute))))
        members.append(("channels", .array(channels)))
        if let scripts, let gates = core.gates {
            members.append(("scripts", describe(scripts, gates)))
        }
        if let devices = handle.virtual?.devices { members.append(("devices", .array(devices.map(device)))) }
        return JSONValue.object(JSONObject(members)).description
    }

    private func describe(_ scripts: GatewayScripts, _ gates: FrameGates) -> JSONValue {
        [
            "apps": .array(scripts.host.apps.map(app)),
            "uplinks": object(gates.uplinks.counters.named.map { ($0.name, $0.value) }),
            "downlinks": object(gates.downlinks.counters.named.map { ($0.name, $0.value) }),
        ]
    }

    private func app(_ app: LuaApp) -> JSONValue {
        let figures = app.statistics
        return [
            "name": .string(app.name), "state": .string(figures.state.name), "errors": integer(figures.errors),
            "memory": .integer(Int64(figures.memory)),
            "lastError": figures.recentErrors.last.map { .string("\($0.activity): \($0.message)".printable) } ?? .null,
        ]
    }

    private func integer(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }

    private func object(_ counts: [(String, UInt64)]) -> JSONValue {
        .object(JSONObject(counts.map { ($0.0, integer($0.1)) }))
    }

    private var radio: JSONValue {
        let (status, counters) = (core.host.status, core.host.radio.counters)
        return [
            "name": .string(core.host.radio.name), "running": .bool(status.isRunning),
            "restarts": integer(status.restarts), "problem": status.problem.map { .string($0) } ?? .null,
            "count": integer(core.host.radio.now()),
            "counters": object([
                ("received", counters.received), ("badCRC", counters.badCRC), ("withoutCRC", counters.withoutCRC),
                ("lost", counters.lost), ("accepted", counters.accepted), ("refused", counters.refused),
                ("transmitted", counters.transmitted), ("failed", counters.failed), ("faults", counters.faults),
            ]),
        ]
    }

    private var sieve: JSONValue {
        let counters = core.sieve.counters
        return object([
            ("passed", counters.passed), ("ghosts", counters.ghosts), ("mirrors", counters.mirrors),
            ("badCRC", counters.badCRC),
        ])
    }

    private func uplink(_ channel: UplinkChannel) -> JSONValue {
        let state = channel.link?.state
        let counters = channel.counters
        var members: JSONObject = [
            "name": .string(channel.configuration.name), "kind": .string(channel.configuration.kind.word),
            "state": .string(state?.word ?? "starting"), "up": .bool(state?.isUp ?? false),
            "address": state?.address.map { .string($0) } ?? .null, "addresses": .integer(Int64(state?.addresses ?? 0)),
            "roundTrip": state?.roundTrip.map { .number(Double($0.wholeNanoseconds / 1000) / 1000) } ?? .null,
            "problem": state?.problem.map { .string($0.printable) } ?? .null,
            "uplinkOnly": .bool(channel.configuration.filter.isUplinkOnly),
            "counters": object([
                ("offered", counters.offered), ("filtered", counters.filtered), ("sent", counters.sent),
                ("delivered", counters.delivered), ("missed", counters.missed), ("dropped", counters.dropped),
                ("late", counters.late), ("downlinks", counters.downlinks),
            ]),
        ]
        if let store = channel.stored {
            members["store"] = object([
                ("waiting", store.waiting), ("stored", store.stored), ("bytes", UInt64(clamping: store.bytes)),
                ("expired", store.expired), ("dropped", store.dropped), ("damaged", store.damaged),
            ])
        }
        return .object(members)
    }

    private var queue: JSONValue {
        let (counters, handOver) = (core.desk.queue.counters, core.desk.handOver)
        return [
            "waiting": .integer(Int64(core.desk.count)), "requested": integer(counters.requested),
            "accepted": integer(counters.accepted), "emitted": integer(counters.emitted),
            "airtime": integer(counters.airtime),
            "refused": object(counters.refused.map { ($0.key.rawValue, $0.value) }.sorted { $0.0 < $1.0 }),
            "failed": object(counters.failed.map { ($0.key.rawValue, $0.value) }.sorted { $0.0 < $1.0 }),
            "handOverShortest": handOver.shortest.map(integer) ?? .null,
            "handOverLongest": handOver.longest.map(integer) ?? .null, "handOverOutside": integer(handOver.outside),
        ]
    }

    private var duty: [JSONValue] {
        guard let region = core.desk.queue.settings.region else { return [] }
        let now = core.host.radio.now()
        return region.bands.enumerated().compactMap { index, band in
            guard let use = core.desk.queue.dutyCycleUse(band: index, now: now), let limit = band.dutyCycle else {
                return nil
            }
            return [
                "from": .integer(Int64(band.lowest.hertz)), "to": .integer(Int64(band.end.hertz)),
                "limit": .integer(Int64(limit)), "use": integer(use),
            ]
        }
    }

    private func frame(_ frame: GatewayHistory.Frame) -> JSONValue {
        let uplink = frame.uplink
        return [
            "t": .integer(frame.receivedAt.microseconds / 1000), "freq": .integer(Int64(uplink.frequency.hertz)),
            "datr": .string(uplink.modulation.description), "rssi": .number(uplink.rssi.tenths),
            "snr": uplink.snr.map { .number($0.tenths) } ?? .null,
            "size": .integer(Int64(uplink.payload.count)), "crc": .integer(Int64(uplink.crc.rawValue)),
            "kind": .string(FrameText.kind(uplink.payload)), "airtime": integer(frame.airtime),
            "chan": .integer(Int64(uplink.ifChain)),
        ]
    }

    private func downlink(_ downlink: GatewayHistory.Downlink) -> JSONValue {
        [
            "id": integer(downlink.id), "t": .integer(downlink.requestedAt.microseconds / 1000),
            "from": .string(downlink.uplinkName), "freq": .integer(Int64(downlink.frame.frequency.hertz)),
            "datr": .string(downlink.frame.modulation.description), "power": .integer(Int64(downlink.frame.power)),
            "size": .integer(Int64(downlink.frame.payload.count)),
            "kind": .string(FrameText.kind(downlink.frame.payload)),
            "airtime": integer(downlink.airtime), "fate": .string(downlink.fate),
        ]
    }

    private func minute(_ minute: GatewayHistory.Minute) -> JSONValue {
        [
            "minute": .integer(minute.minute), "frames": integer(minute.frames), "up": integer(minute.airtimeUp),
            "down": integer(minute.airtimeDown),
        ]
    }

    private var channels: [JSONValue] {
        core.history.channels.sorted { $0.key < $1.key }.map { frequency, channel in
            [
                "freq": .integer(Int64(frequency.hertz)), "frames": integer(channel.frames),
                "badCRC": integer(channel.badCRC), "up": integer(channel.airtimeUp),
                "downlinks": integer(channel.downlinks), "down": integer(channel.airtimeDown),
            ]
        }
    }

    private func device(_ device: VirtualDeviceState) -> JSONValue {
        [
            "eui": .string(device.devEUI.description), "addr": device.devAddr.map { .string("\($0)") } ?? .null,
            "class": .string(device.deviceClass == .c ? "C" : "A"), "sf": .integer(Int64(device.spreadingFactor)),
            "uplinks": integer(device.uplinks), "joins": integer(device.joinAccepts),
            "rx1": integer(device.downlinksRX1),
            "rx2": integer(device.downlinksRX2), "classC": integer(device.downlinksClassC),
        ]
    }
}

extension Double {
    /// The nearest tenth; 0 for what is no number.
    var tenths: Double {
        guard isFinite, magnitude < 1e6 else { return 0 }
        return Double(Int64(self < 0 ? self * 10 - 0.5 : self * 10 + 0.5)) / 10
    }
}
