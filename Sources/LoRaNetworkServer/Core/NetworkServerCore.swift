package import DeviceCore
import DeviceProtocols

/// A small LoRaWAN network without I/O: frames of gateways in, frames for gateways out.
///
/// It grants joins, acknowledges, echoes, and sends to devices of class C on its own. One gateway is enough for it: of
/// a frame that several bring, the first counts.
package struct NetworkServerCore {
    private struct Join {
        var devNonce: UInt16
        var at: MonotonicTime
    }

    package let settings: NetworkServerSettings
    package private(set) var counters = NetworkServerCounters()
    private let security: LoRaWANSecurity
    private let devices: [EUI64: LoRaWANDevice]
    private var sessions: [DevAddr: ServerSession] = [:]
    private var addresses: [EUI64: DevAddr] = [:]
    private var joins: [EUI64: Join] = [:]
    private var joinNonce: UInt32
    private var nextAddress: UInt32 = 0x0010_0000
    private var downlinkNumber: UInt64 = 0
    /// The sessions of class C that have been heard, and when the next frame is due.
    private var classC: [(address: DevAddr, due: MonotonicTime)] = []
    /// When each gateway that devices of class C are heard by has sent what it was last given for them.
    private var freeAt: [EUI64: MonotonicTime] = [:]

    /// Gateways that are remembered for that; more are forgotten together.
    private static let gatewayLimit = 1000
    /// Within this time the same frame again is another copy of it; later, the device has repeated it.
    private static let copies = Duration.milliseconds(400)

    /// - Parameter joinNonce: the first one; a server that starts anew must not use one twice with a device.
    package init(_ settings: NetworkServerSettings, crypto: any Crypto, joinNonce: UInt32) {
        self.settings = settings
        self.joinNonce = joinNonce
        security = LoRaWANSecurity(crypto)
        devices = Dictionary(settings.devices.map { ($0.devEUI, $0) }, uniquingKeysWith: { first, _ in first })
        for device in settings.devices {
            guard case .personalized(let address, let keys) = device.activation else { continue }
            sessions[address] = ServerSession(device: device, devAddr: address, keys: keys)
            addresses[device.devEUI] = address
        }
    }

    /// Devices with a session.
    var sessionCount: Int { sessions.count }

    // MARK: Frames up

    /// Takes a frame.
    package mutating func receive(_ uplink: ServerUplink, at now: MonotonicTime) -> [ServerDownlink] {
        counters.uplinks += 1
        do {
            switch try LoRaWANFrame(uplink.payload) {
            case .joinRequest(let request): return try join(request, uplink, now)
            case .data(let data) where data.type.direction == .up: return try take(data, uplink, now)
            default: counters.unknown += 1
            }
        } catch {
            // No LoRaWAN, or the crypto library refuses.
            counters.unknown += 1
        }
        return []
    }

    private mutating func join(
        _ request: LoRaWANJoinRequest, _ uplink: ServerUplink, _ now: MonotonicTime
    ) throws(DeviceError) -> [ServerDownlink] {
        guard let device = devices[request.devEUI], device.joinEUI == request.joinEUI,
            case .overTheAir(let key) = device.activation
        else {
            counters.unknown += 1
            return []
        }
        guard try security.mic(ofJoin: request, key: key) == request.mic else {
            counters.wrongMIC += 1
            return []
        }
        if let last = joins[request.devEUI], last.devNonce == request.devNonce {
            counters.duplicates += 1
            return []
        }
        joins[request.devEUI] = Join(devNonce: request.devNonce, at: now)
        if let old = addresses[request.devEUI] {
            sessions[old] = nil
            classC.removeAll { $0.address == old }
        }
        let address = DevAddr(nextAddress)
        // Below the personalized ones of the simulator; round again after 2^20 joins.
        nextAddress = 0x0010_0000 | (nextAddress &+ 1) & 0x000F_FFFF
        joinNonce = (joinNonce &+ 1) & 0xFF_FFFF
        var accept = LoRaWANJoinAccept(
            joinNonce: joinNonce, netID: settings.netID, devAddr: address,
            rx2DataRate: settings.region.rx2DataRate, rxDelay: settings.rxDelay)
        if settings.region.downlinkChannels.isEmpty {
            let known = settings.region.uplinkChannels.map(\.frequency)
            accept.channels = settings.region.gatewayChannels.filter { !known.contains($0) }
        }
        let keys = try security.sessionKeys(
            key: key, joinNonce: joinNonce, netID: settings.netID, devNonce: request.devNonce)
        var session = ServerSession(device: device, devAddr: address, keys: keys)
        session.gateway = uplink.gateway
        session.lastHeardAt = now
        counters.joins += 1
        let frame = try security.joinAcceptFrame(accept, key: key)
        // JOIN_ACCEPT_DELAY1 is 5 s in all regions.
        let downlink = answer(frame, uplink, &session, delay: 5, dataRateOffset: 0)
        sessions[address] = session
        addresses[request.devEUI] = address
        return downlink.map { [$0] } ?? []
    }

    private mutating func take(
        _ data: LoRaWANData, _ uplink: ServerUplink, _ now: MonotonicTime
    ) throws(DeviceError) -> [ServerDownlink] {
        guard var session = sessions[data.devAddr] else {
            counters.unknown += 1
            return []
        }
        if data == session.lastFrame {
            counters.duplicates += 1
            let isCopy = session.lastHeardAt.map { now - $0 < Self.copies } ?? false
            guard !isCopy, data.type.isConfirmed else { return [] }
            // Its acknowledgement was lost.
            session.lastHeardAt = now
            return try acknowledge(data, nil, uplink, &session)
        }
        let counter = data.fullCounter(from: session.expected)
        guard counter &- session.expected < 1 << 24,
            let opened = try security.open(data, fCnt: counter, keys: session.keys)
        else {
            counters.wrongMIC += 1
            return []
        }
        if session.frames > 0 { counters.missing += UInt64(counter &- session.expected) }
        session.expected = counter &+ 1
        session.lastFrame = data
        session.lastHeardAt = now
        session.gateway = uplink.gateway
        session.frames += 1
        counters.data += 1
        if let interval = settings.classCInterval, session.device.deviceClass == .c, session.frames == 1 {
            classC.append((session.devAddr, now + interval))
        }
        let isEcho = settings.echoEvery > 0 && session.frames % settings.echoEvery == 0 && opened.port != 0
        let echo = isEcho ? opened : nil
        if echo == nil, !data.type.isConfirmed {
            sessions[data.devAddr] = session
            return []
        }
        return try acknowledge(data, echo, uplink, &session)
    }

    private mutating func acknowledge(
        _ data: LoRaWANData, _ echo: LoRaWANData?, _ uplink: ServerUplink, _ session: inout ServerSession
    ) throws(DeviceError) -> [ServerDownlink] {
        let frame = try frame(
            to: &session, control: data.type.isConfirmed ? .ack : [], port: echo?.port, payload: echo?.payload ?? [])
        let downlink = answer(frame, uplink, &session, delay: settings.rxDelay, dataRateOffset: 0)
        sessions[data.devAddr] = session
        return downlink.map { [$0] } ?? []
    }

    // MARK: Frames down

    private func frame(
        to session: inout ServerSession, control: LoRaWANControl, port: UInt8?, payload: [UInt8]
    ) throws(DeviceError) -> [UInt8] {
        let data = LoRaWANData(
            .unconfirmedDown, devAddr: session.devAddr, control: control, fCnt: 0, port: port, payload: payload)
        let sealed = try security.seal(data, fCnt: session.downlinkCounter, keys: session.keys)
        session.downlinkCounter &+= 1
        return sealed.bytes
    }

    /// A frame in the first or the second window; nil when the region has neither for this uplink.
    private mutating func answer(
        _ frame: [UInt8], _ uplink: ServerUplink, _ session: inout ServerSession, delay: UInt8, dataRateOffset: UInt8
    ) -> ServerDownlink? {
        session.answers += 1
        let region = settings.region
        let isSecond = settings.secondWindowEvery > 0 && session.answers % settings.secondWindowEvery == 0
        if !isSecond, let up = region.dataRate(uplink.modulation, .up),
            let rate = region.rx1DataRate(uplink: up, offset: dataRateOffset),
            let modulation = region.modulation(rate), let frequency = region.rx1Frequency(uplink: uplink.frequency)
        {
            counters.downlinksFirst += 1
            return downlink(
                frame, uplink.gateway, session, .first(uplink.moment, delay: delay), frequency, modulation, rate)
        }
        guard let modulation = region.modulation(region.rx2DataRate) else { return nil }
        counters.downlinksSecond += 1
        return downlink(
            frame, uplink.gateway, session, .second(uplink.moment, firstDelay: delay), region.rx2Frequency,
            modulation, region.rx2DataRate)
    }

    private mutating func downlink(
        _ frame: [UInt8], _ gateway: EUI64, _ session: ServerSession, _ slot: ServerDownlink.Slot,
        _ frequency: RadioFrequency, _ modulation: LoRaModulation, _ dataRate: UInt8
    ) -> ServerDownlink {
        downlinkNumber += 1
        return ServerDownlink(
            number: downlinkNumber, gateway: gateway, devEUI: session.device.devEUI, slot: slot,
            frequency: frequency, modulation: modulation, dataRate: dataRate, power: settings.power, payload: frame)
    }

    /// Frames to devices of class C that are due; to be called once a second or so.
    package mutating func tick(at now: MonotonicTime) -> [ServerDownlink] {
        guard let interval = settings.classCInterval,
            let modulation = settings.region.modulation(settings.region.rx2DataRate)
        else { return [] }
        if freeAt.count > Self.gatewayLimit { freeAt = [:] }
        var downlinks: [ServerDownlink] = []
        for (place, entry) in classC.enumerated() where entry.due <= now {
            guard var session = sessions[entry.address], let gateway = session.gateway else { continue }
            // One after the other: a gateway has one sender, and the next tick comes soon.
            guard freeAt[gateway] ?? now <= now else { continue }
            classC[place].due = now + interval  // safe: its own index
            guard let frame = try? frame(to: &session, control: [], port: 99, payload: Array("class C".utf8)) else {
                continue
            }
            sessions[entry.address] = session
            counters.downlinksClassC += 1
            let airtime = TimeOnAir.microseconds(
                bytes: frame.count, modulation: modulation, format: TimeOnAir.Format(hasCRC: false))
            freeAt[gateway] = now + .microseconds(Int64(clamping: airtime + 100_000))
            downlinks.append(
                downlink(
                    frame, gateway, session, .atOnce, settings.region.rx2Frequency, modulation,
                    settings.region.rx2DataRate))
        }
        return downlinks
    }

    // MARK: What gateways tell

    /// A gateway has taken a frame, or refused it with a word.
    package mutating func report(refusal: String?) {
        guard let refusal else {
            counters.accepted += 1
            return
        }
        // A gateway's own words are of no limited number.
        let known = counters.refused[refusal] != nil || counters.refused.count < 32
        counters.refused[known ? refusal : "other", default: 0] += 1
    }

    /// A frame has no way to its gateway.
    mutating func reportUndeliverable() { counters.undeliverable += 1 }

    /// A gateway sent what its protocol does not allow.
    mutating func reportBad(_ kind: String) { counters.bad[kind, default: 0] += 1 }
}
