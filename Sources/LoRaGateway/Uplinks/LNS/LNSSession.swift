import DeviceCore
import DeviceProtocols
import NIOCore

/// What a gateway and a Basics Station server say to each other, without I/O: frames, messages and times in, texts and
/// actions out. It begins with the open connection.
struct LNSSession {
    /// What its environment is to do.
    enum Action {
        case send(String)
        case ping(UInt64)
        /// The server has said what it wants; frames can be sent.
        case ready(LNSRouterConfig)
        case delivered([ReceivedFrame])
        case downlink(ServerDownlink)
        /// GPS time at a value of the radio's clock, as the server knows it.
        case timeReference(RadioTimeReference)
        case warning(kind: String, String)
        /// Close the connection: the server is silent, or talks nonsense.
        case close(String)
    }

    /// The radio as the server's times see it.
    struct RadioView {
        /// Its clock now.
        var count: UInt64
        /// Changes with each start; never 0.
        var session: UInt8
        /// The RF chain that sends.
        var rfChain: UInt8
        var reference: RadioTimeReference?
    }

    struct Counters: Hashable, Sendable {
        var messages: UInt64 = 0
        var bad: UInt64 = 0
        /// Frames that the server's own filters, or the protocol, keep out.
        var unwanted: UInt64 = 0
        var downlinks: UInt64 = 0
        var transmitted: UInt64 = 0
        var refusedCommands: UInt64 = 0
    }

    private struct Order {
        var diid: Int64
        var devEUI: EUI64
        var rctx: Int64
    }

    private struct Sent {
        var number: UInt64
        var frames: [ReceivedFrame]
    }

    /// How long an answer to a ping may take, and how often an idle connection is asked.
    static let patience = Duration.seconds(4)
    private static let idlePing = Duration.seconds(5)
    private static let busyPing = Duration.milliseconds(200)
    private static let timeSyncInterval = Duration.seconds(60)
    private static let orderLimit = 128

    private(set) var counters: Counters
    private(set) var config: LNSRouterConfig?
    private(set) var roundTrip: Duration?
    private var sent: [Sent] = []
    private var number: UInt64 = 0
    private var ping: (number: UInt64, sentAt: MonotonicTime)?
    private var nextPing: MonotonicTime
    private var lastPing = MonotonicTime.zero
    private var muxTime: (value: Double, at: MonotonicTime)?
    private var orders: [UInt64: Order] = [:]
    private var nextTicket: UInt64
    private var timeSync: (txtime: Int64, count: UInt64, sentAt: MonotonicTime)?
    private var nextTimeSync: MonotonicTime
    private let openedAt: MonotonicTime

    /// - Parameter firstTicket: above those of earlier sessions, so that late fates find nothing.
    init(counters: Counters, firstTicket: UInt64, now: MonotonicTime) {
        self.counters = counters
        nextTicket = firstTicket
        openedAt = now
        nextPing = now + Self.idlePing
        nextTimeSync = now
    }

    /// Where the next session's tickets begin.
    var ticketLimit: UInt64 { nextTicket }

    /// The first message.
    func hello(model: String) -> [Action] {
        let version = LNSVersion(
            station: "DeviceSDK 0", model: model)
        return LNSUpMessage.version(version).json().map { [.send($0)] } ?? []
    }

    // MARK: Frames

    /// Sends frames in order.
    mutating func send(_ frames: [ReceivedFrame], radio: RadioView, now: MonotonicTime) -> [Action] {
        guard let config else { return [] }
        var actions: [Action] = []
        var done: [ReceivedFrame] = []
        for frame in frames {
            guard let text = text(of: frame, config, radio, now) else {
                counters.unwanted += 1
                done.append(frame)
                continue
            }
            actions.append(.send(text))
            number += 1
            sent.append(Sent(number: number, frames: [frame]))
        }
        // What the server does not want is as good as delivered: it is not to come again.
        if !done.isEmpty { actions.append(.delivered(done)) }
        guard ping == nil, !sent.isEmpty else { return actions }
        if now - lastPing >= Self.busyPing {
            sendPing(now, &actions)
        } else {
            nextPing = min(nextPing, lastPing + Self.busyPing)
        }
        return actions
    }

    private func text(
        of frame: ReceivedFrame, _ config: LNSRouterConfig, _ radio: RadioView, _ now: MonotonicTime
    ) -> String? {
        let uplink = frame.uplink
        guard uplink.crc == .ok, let rate = config.dataRate(uplink: uplink.modulation),
            let content = try? LoRaWANFrame(uplink.payload), config.accepts(content)
        else { return nil }
        // A late frame has a time of no session that is: nothing can be sent in answer to it.
        let session = frame.isLate ? (radio.session == 1 ? 2 : 1) : radio.session
        let gps = uplink.gpsTime ?? radio.reference?.gpsTime(atCount: uplink.count)
        let info = LNSUplink.Info(
            rctx: Int64(uplink.rfChain), xtime: LNSTime(unit: 0, session: session, count: uplink.count),
            gpstime: frame.isLate ? 0 : Int64(clamping: gps ?? 0), fts: uplink.fineTime.map { Int64($0) } ?? -1,
            rssi: uplink.rssi, snr: uplink.snr ?? 0, rxtime: Double(frame.receivedAt.microseconds) / 1e6)
        return LNSUpMessage.uplink(
            LNSUplink(
                frame: content, dataRate: rate, frequency: uplink.frequency, refTime: refTime(now), info: info)
        ).json(capitalEUI: config.usesCapitalEUI)
    }

    private func refTime(_ now: MonotonicTime) -> Double {
        guard let muxTime else { return 0 }
        return muxTime.value + Double((now - muxTime.at).wholeNanoseconds) / 1e9
    }

    /// Frames of which it is not known that the server has them.
    mutating func takeUnacknowledged() -> [ReceivedFrame] {
        defer { sent = [] }
        return sent.flatMap(\.frames)
    }

    // MARK: Time

    var nextTime: MonotonicTime {
        let patience = ping.map { $0.sentAt + Self.patience } ?? .distantFuture
        let configured = config == nil ? openedAt + Duration.seconds(10) : nextTimeSync
        return min(patience, ping == nil ? nextPing : .distantFuture, configured)
    }

    mutating func tick(radio: RadioView, now: MonotonicTime) -> [Action] {
        if let ping, now - ping.sentAt >= Self.patience {
            return [.close("the server has not answered for \(Self.patience)")]
        }
        guard config != nil else {
            return now - openedAt >= .seconds(10) ? [.close("no router_config came within 10 s")] : []
        }
        var actions: [Action] = []
        if ping == nil, now >= nextPing { sendPing(now, &actions) }
        if now >= nextTimeSync {
            nextTimeSync = now + Self.timeSyncInterval
            if radio.reference == nil { askForTime(radio, now, &actions) }
        }
        return actions
    }

    private mutating func sendPing(_ now: MonotonicTime, _ actions: inout [Action]) {
        ping = (number, now)
        lastPing = now
        actions.append(.ping(number))
    }

    private mutating func askForTime(_ radio: RadioView, _ now: MonotonicTime, _ actions: inout [Action]) {
        let txtime = now.nanoseconds / 1000
        timeSync = (txtime, radio.count, now)
        if let text = LNSUpMessage.timeSync(txtime: txtime).json() { actions.append(.send(text)) }
    }

    /// The answer to a ping: the server has handled all that was sent before it.
    mutating func pong(_ data: ByteBuffer, now: MonotonicTime) -> [Action] {
        var data = data
        guard let ping, data.readInteger(as: UInt64.self) == ping.number else { return [] }
        roundTrip = now - ping.sentAt
        self.ping = nil
        let count = sent.prefix { $0.number <= ping.number }.count
        let frames = sent.prefix(count).flatMap(\.frames)
        sent.removeFirst(count)
        nextPing = now + (sent.isEmpty ? Self.idlePing : Self.busyPing)
        return frames.isEmpty ? [] : [.delivered(frames)]
    }

    // MARK: Messages

    /// Takes a message from the server.
    mutating func receive(_ text: ByteBuffer, radio: RadioView, now: MonotonicTime) -> [Action] {
        counters.messages += 1
        let message: LNSDownMessage
        do throws(LNSError) { message = try LNSDownMessage(text.readableBytesView) } catch { return bad(error) }
        if let time = message.muxTime { muxTime = (time, now) }
        switch message {
        case .routerConfig(let new):
            config = new
            return [.ready(new)]
        case .downlink(let downlink): return request(downlink, radio)
        case .schedule(let frames, _): return request(frames, radio)
        case .timeSync(let txtime, let gpstime, _): return synchronize(txtime, gpstime, now)
        case .gpsTime(let xtime, let gpstime, _):
            guard gpstime > 0, let count = xtime.count(session: radio.session, now: radio.count) else { return [] }
            return [.timeReference(RadioTimeReference(count: count, gpsTime: UInt64(gpstime)))]
        case .getXTime(let muxTime):
            let time = LNSTime(unit: 0, session: radio.session, count: radio.count)
            let answer = LNSUpMessage.xtimes(
                [time], muxTime: muxTime ?? 0, ustime: Double(now.nanoseconds) / 1e9,
                utcTime: Double(HostTime.now.microseconds) / 1e6)
            return answer.json().map { [.send($0)] } ?? []
        case .runCommand:
            counters.refusedCommands += 1
            return [.warning(kind: "runcmd", "the server wants a command run; this gateway runs none")]
        case .remoteShell:
            counters.refusedCommands += 1
            return (LNSUpMessage.noRemoteShells.json().map { [Action.send($0)] } ?? [])
                + [.warning(kind: "rmtsh", "the server wants a remote shell; this gateway has none")]
        case .error(let error): return [.warning(kind: "error", "the server says: \(error.printable)")]
        }
    }

    private mutating func bad(_ error: LNSError) -> [Action] {
        counters.bad += 1
        return [.warning(kind: error.kind, "a message that cannot be understood: \(error)")]
    }

    private mutating func request(_ downlink: LNSDownlink, _ radio: RadioView) -> [Action] {
        counters.downlinks += 1
        guard let config else { return bad(.notConfigured) }
        do throws(LNSError) {
            let requests = try DownlinkRequest.requests(downlink, id: 0, station: station(config, radio))
            nextTicket += 1
            if orders.count >= Self.orderLimit, let oldest = orders.keys.min() { orders[oldest] = nil }
            orders[nextTicket] = Order(diid: downlink.diid, devEUI: downlink.devEUI, rctx: downlink.rctx ?? 0)
            return [.downlink(ServerDownlink(candidates: requests, ticket: .lns(nextTicket)))]
        } catch {
            return bad(error)
        }
    }

    private mutating func request(_ frames: [LNSScheduled], _ radio: RadioView) -> [Action] {
        guard let config else { return bad(.notConfigured) }
        var actions: [Action] = []
        for frame in frames {
            counters.downlinks += 1
            do throws(LNSError) {
                let request = try DownlinkRequest(frame, id: 0, station: station(config, radio))
                nextTicket += 1
                actions.append(.downlink(ServerDownlink(candidates: [request], ticket: .lns(nextTicket))))
            } catch {
                actions += bad(error)
            }
        }
        return actions
    }

    private func station(_ config: LNSRouterConfig, _ radio: RadioView) -> DownlinkRequest.Station {
        DownlinkRequest.Station(config: config, session: radio.session, rfChain: radio.rfChain, now: radio.count)
    }

    private mutating func synchronize(_ txtime: Int64, _ gpstime: Int64, _ now: MonotonicTime) -> [Action] {
        guard let question = timeSync, question.txtime == txtime, gpstime > 0 else { return [] }
        timeSync = nil
        let trip = now - question.sentAt
        // Half of a long way could be anywhere.
        guard trip < .milliseconds(300) else { return [] }
        let middle = question.count &+ UInt64(max(0, trip.wholeNanoseconds / 2000))
        return [.timeReference(RadioTimeReference(count: middle, gpsTime: UInt64(gpstime)))]
    }

    /// What became of a frame; only what went on the air is told.
    mutating func tell(
        _ fate: DownlinkFate, of ticket: UInt64, frame: RadioDownlink, radio: RadioView, now: MonotonicTime
    ) -> [Action] {
        guard case .transmitted(let count, _) = fate else {
            if case .accepted = fate { return [] }
            orders[ticket] = nil
            return []
        }
        guard let order = orders.removeValue(forKey: ticket), let config,
            let rate = config.dataRates.firstIndex(where: { $0?.modulation == frame.modulation })
        else { return [] }
        counters.transmitted += 1
        let message = LNSUpMessage.transmitted(
            LNSTransmitted(
                diid: order.diid, dataRate: UInt8(clamping: rate), frequency: frame.frequency, devEUI: order.devEUI,
                rctx: order.rctx, xtime: LNSTime(unit: 0, session: radio.session, count: count),
                txtime: Double(now.nanoseconds) / 1e9,
                gpstime: Int64(clamping: radio.reference?.gpsTime(atCount: count) ?? 0)))
        return message.json(capitalEUI: config.usesCapitalEUI).map { [.send($0)] } ?? []
    }
}
