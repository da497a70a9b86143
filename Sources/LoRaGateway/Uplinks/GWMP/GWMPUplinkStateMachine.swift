import DeviceCore
import DeviceProtocols
import NIOCore

/// One server of Semtech's UDP protocol, without I/O: frames, datagrams and times in, actions out.
///
/// The server is up while it acknowledges. PULL_DATA goes out every `keepalive`, and at once when an acknowledgement is
/// missing; while nothing is acknowledged, every second, each time to the next address of the name. A full round
/// without an answer asks the DNS again and takes new sockets, because a changed network leaves old ones useless.
///
/// Flow control: at most ``window`` PUSH_DATA are under way; frames that come meanwhile wait for an acknowledgement, or
/// for the time after which one counts as missed, and go then, as many in a datagram as fit.
struct GWMPUplinkStateMachine {
    /// What its environment is to do.
    enum Action {
        case send(ByteBuffer, to: Endpoint)
        /// Look the name up.
        case resolve(refresh: Bool)
        /// Close the sockets and open new ones.
        case renewSockets
        /// The server acknowledges, or does not any more.
        case changed(isUp: Bool)
        /// Frames that the server has.
        case delivered([ReceivedFrame])
        /// Frames that nobody acknowledged in time.
        case missed([ReceivedFrame])
        /// Frames that were given up, because too many waited for acknowledgements.
        case overflowed([ReceivedFrame])
        /// A frame to send; its fate goes into ``acknowledge(_:_:)``.
        case downlink(GWMPTxpk, token: UInt16)
        /// A PULL_RESP that cannot be understood; it has been answered.
        case refused(GWMPError)
        /// Something from outside that is not as it should be, by kind.
        case warning(kind: String, String)
    }

    struct Counters: Hashable, Sendable {
        var pushes: UInt64 = 0
        var pushAcks: UInt64 = 0
        var pulls: UInt64 = 0
        var pullAcks: UInt64 = 0
        var downlinks: UInt64 = 0
        var missedAcks: UInt64 = 0
        var failovers: UInt64 = 0
        var renewals: UInt64 = 0
        var ignored: UInt64 = 0
        /// Frames that were given up because too many waited for acknowledgements.
        var overflow: UInt64 = 0
    }

    private struct Push {
        var token: UInt16
        var sentAt: MonotonicTime
        var frames: [ReceivedFrame]
    }

    /// Bytes of a datagram: what every path of IPv6 takes in one piece (RFC 8200, section 5: 1280 with the heads of IP
    /// and UDP). A datagram in fragments is lost with any of them.
    private static let datagramBytes = 1_232
    /// PUSH_DATA under way. Linux counts one of these at most as 2,304 bytes and gives a socket that asks for nothing
    /// room for 212,992: so many cannot be lost there, however long the server pauses.
    static let window = 64
    /// Frames that wait for the window. Then the oldest make room, whose time for an answer is over first; where order
    /// is kept, the newest are given up instead, to be kept behind those that wait.
    static let waitingLimit = 8_192
    private static let probeInterval = Duration.seconds(1)

    let eui: GatewayEUI
    let server: GWMPServer
    /// Frames that are missed are kept and sent again in order: so the first that is missed takes all with it that
    /// wait, and none goes out before the server answers again.
    let keepsOrder: Bool
    private(set) var counters = Counters()
    private(set) var isUp = false
    /// The round trip of the last acknowledged PUSH_DATA or PULL_DATA.
    private(set) var roundTrip: Duration?

    private var endpoints: [IPAddress] = []
    private var current = 0
    private var token: UInt16
    private var pushes = CircularBuffer<Push>()
    private var waiting = CircularBuffer<ReceivedFrame>()
    private var pull: (token: UInt16, sentAt: MonotonicTime)?
    /// Other PULL_DATA whose answer may still come.
    private var oldPulls: [UInt16] = []
    private var nextPull = MonotonicTime.zero
    private var missedPulls = 0
    /// A PUSH_DATA was missed and nothing has come since.
    private var hasMissedPush = false
    private var nextResolve = MonotonicTime.zero
    private var isResolving = false
    private var nextStat: MonotonicTime

    init(eui: GatewayEUI, server: GWMPServer, keepsOrder: Bool = false, firstToken: UInt16, now: MonotonicTime) {
        self.keepsOrder = keepsOrder
        self.eui = eui
        self.server = server
        token = firstToken
        nextStat = server.statInterval.map { now + $0 } ?? .distantFuture
    }

    /// Where the server is now; nil before the first answer of the DNS.
    var endpoint: Endpoint? { address.map { Endpoint($0, port: server.portUp) } }
    var addressCount: Int { endpoints.count }
    private var address: IPAddress? {
        endpoints.indices.contains(current) ? endpoints[current] : nil  // safe: looked up before
    }

    /// When to call ``tick(now:)`` next.
    var nextTime: MonotonicTime {
        var time = min(nextPull, isResolving ? .distantFuture : nextResolve)
        if let first = pushes.first { time = min(time, first.sentAt + server.acknowledgementTime) }
        if let pull { time = min(time, pull.sentAt + server.acknowledgementTime) }
        return time
    }

    // MARK: Names

    /// The DNS has answered: addresses in the order in which to try them, and when to ask again.
    mutating func resolved(_ addresses: [IPAddress], again: Duration, now: MonotonicTime) -> [Action] {
        isResolving = false
        nextResolve = now + max(.seconds(30), again)
        guard !addresses.isEmpty else { return [] }
        let old = address
        endpoints = addresses
        // The address in use stays in use while the name still has it.
        current = old.flatMap { addresses.firstIndex(of: $0) } ?? 0
        if old == nil || address != old { nextPull = now }
        return tick(now: now)
    }

    /// The DNS has not answered; addresses known before stay in use.
    mutating func resolveFailed(retryIn time: Duration, now: MonotonicTime) {
        isResolving = false
        nextResolve = now + time
    }

    // MARK: Time

    /// Sends what is due and notices what is missing.
    mutating func tick(now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        if !isResolving, now >= nextResolve {
            isResolving = true
            actions.append(.resolve(refresh: !isUp && !endpoints.isEmpty))
        }
        if let pull, now >= pull.sentAt + server.acknowledgementTime {
            self.pull = nil
            oldPulls.append(pull.token)
            if oldPulls.count > 16 { oldPulls.removeFirst() }
            missedPull(now, &actions)
        }
        let late = pushes.prefix { now - $0.sentAt >= server.acknowledgementTime }.count
        if late > 0 { missedPushes(late, now, &actions) }
        fill(now, &actions)
        if now >= nextPull { sendPull(now, &actions) }
        return actions
    }

    private mutating func missedPushes(_ count: Int, _ now: MonotonicTime, _ actions: inout [Action]) {
        if keepsOrder {
            nextPull = min(nextPull, now)
            return down(&actions)
        }
        counters.missedAcks += UInt64(count)
        let frames = pushes.prefix(count).flatMap(\.frames)
        pushes.removeFirst(count)
        if !frames.isEmpty { actions.append(.missed(frames)) }
        // Is the server gone, or was that one datagram lost? The answer to a PULL_DATA tells.
        hasMissedPush = true
        if isUp, pull == nil { nextPull = now }
    }

    private mutating func missedPull(_ now: MonotonicTime, _ actions: inout [Action]) {
        counters.missedAcks += 1
        missedPulls += 1
        nextPull = now
        // A single lost datagram is nothing; two in a row are.
        guard missedPulls >= 2 || hasMissedPush || !isUp else { return }
        if isUp { down(&actions) }
        guard !endpoints.isEmpty else { return }
        current = (current + 1) % endpoints.count
        if endpoints.count > 1 { counters.failovers += 1 }
        if missedPulls % max(2, endpoints.count) == 0 {
            counters.renewals += 1
            actions.append(.renewSockets)
            if !isResolving { nextResolve = min(nextResolve, now) }
        }
        nextPull = now + max(.zero, Self.probeInterval - server.acknowledgementTime)
    }

    private mutating func down(_ actions: inout [Action]) {
        if isUp { actions.append(.changed(isUp: false)) }
        isUp = false
        // What waits for an acknowledgement waits no longer, so that order is kept by who keeps it.
        counters.missedAcks += UInt64(pushes.count)
        let frames = takeUnacknowledged()
        if !frames.isEmpty { actions.append(.missed(frames)) }
    }

    /// Gives up on the frames that wait for an acknowledgement; where order is kept, also on those behind them.
    private mutating func takeUnacknowledged() -> [ReceivedFrame] {
        var frames = pushes.flatMap(\.frames)
        pushes.removeAll()
        guard keepsOrder else { return frames }
        frames += waiting
        waiting.removeAll()
        return frames
    }

    /// It is over: what waits goes out at once, since it may well arrive, or comes back where it is kept.
    mutating func finish(now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        var missed = takeUnacknowledged()
        while !waiting.isEmpty, address != nil { sendPush(nil, now, &actions) }
        missed += takeUnacknowledged()
        if !missed.isEmpty { actions.append(.missed(missed)) }
        return actions
    }

    private mutating func sendPull(_ now: MonotonicTime, _ actions: inout [Action]) {
        guard let address else {
            nextPull = now + Self.probeInterval
            return
        }
        if let pull { oldPulls.append(pull.token) }
        let token = nextToken()
        pull = (token, now)
        counters.pulls += 1
        nextPull = now + (isUp ? server.keepalive : max(Self.probeInterval, server.acknowledgementTime))
        var datagram = ByteBuffer()
        datagram.writeGWMPHeader(GWMPHeader(token: token, type: .pullData, gateway: eui))
        actions.append(.send(datagram, to: Endpoint(address, port: server.portDown)))
    }

    private mutating func nextToken() -> UInt16 {
        token &+= 1
        return token
    }

    // MARK: Frames and reports

    /// Whether a report is due.
    mutating func isStatDue(now: MonotonicTime) -> Bool {
        guard let interval = server.statInterval, now >= nextStat else { return false }
        nextStat = now + interval
        return true
    }

    /// When the next report is due.
    var statTime: MonotonicTime { nextStat }

    /// Sends frames, or a report, or both; nothing while the server has no address. What is not acknowledged in time
    /// comes back as ``Action/missed(_:)``, what does not fit as ``Action/overflowed(_:)``.
    mutating func push(_ frames: [ReceivedFrame], stat: GWMPStat? = nil, now: MonotonicTime) -> [Action] {
        var actions: [Action] = []
        guard address != nil else {
            if !frames.isEmpty { actions.append(.missed(frames)) }
            return actions
        }
        waiting.append(contentsOf: frames)
        // A report is rare, and waits for nothing.
        if let stat { sendPush(stat, now, &actions) }
        fill(now, &actions)
        let excess = waiting.count - Self.waitingLimit
        guard excess > 0 else { return actions }
        counters.overflow += UInt64(excess)
        let given = Array(keepsOrder ? waiting.suffix(excess) : waiting.prefix(excess))
        if keepsOrder { waiting.removeLast(excess) } else { waiting.removeFirst(excess) }
        actions.append(.overflowed(given))
        return actions
    }

    /// Sends what waits, as far as the window is open.
    private mutating func fill(_ now: MonotonicTime, _ actions: inout [Action]) {
        while !waiting.isEmpty, pushes.count < Self.window, address != nil { sendPush(nil, now, &actions) }
    }

    /// Sends one datagram with as many of the frames that wait as fit.
    private mutating func sendPush(_ stat: GWMPStat?, _ now: MonotonicTime, _ actions: inout [Action]) {
        guard let address else { return }
        var datagram = ByteBuffer()
        datagram.reserveCapacity(Self.datagramBytes)
        let token = nextToken()
        datagram.writeGWMPHeader(GWMPHeader(token: token, type: .pushData, gateway: eui))
        datagram.writeString("{")
        let report = stat.map { "\"stat\":\($0.json)" }
        // The comma before the next frame and the brackets at the end, or the comma before the report.
        let reserve = 4 + (report?.utf8.count ?? 0)
        var taken: [ReceivedFrame] = []
        while let frame = waiting.first {
            let json = frame.json
            let room = Self.datagramBytes - datagram.readableBytes - reserve - (taken.isEmpty ? 8 : 0)
            // One that is alone in its datagram goes whatever its length.
            guard json.utf8.count <= room || (taken.isEmpty && report == nil) else { break }
            datagram.writeStaticString(taken.isEmpty ? "\"rxpk\":[" : ",")
            datagram.writeString(json)
            taken.append(frame)
            waiting.removeFirst()
        }
        if !taken.isEmpty { datagram.writeStaticString("]") }
        if let report {
            if !taken.isEmpty { datagram.writeStaticString(",") }
            datagram.writeString(report)
        }
        datagram.writeStaticString("}")
        pushes.append(Push(token: token, sentAt: now, frames: taken))
        counters.pushes += 1
        actions.append(.send(datagram, to: Endpoint(address, port: server.portUp)))
    }

    // MARK: Datagrams

    /// Takes a datagram from the server.
    mutating func receive(_ datagram: ByteBuffer, from source: IPAddress, now: MonotonicTime) -> [Action] {
        guard endpoints.contains(source) else {
            counters.ignored += 1
            return [.warning(kind: "foreign-source", "a datagram from \(source), which is not the server's address")]
        }
        var rest = datagram
        let header: GWMPHeader
        do throws(GWMPError) { header = try GWMPHeader(reading: &rest) } catch {
            counters.ignored += 1
            return [.warning(kind: error.kind, "\(error)")]
        }
        switch header.type {
        case .pushAck:
            guard let index = pushes.firstIndex(where: { $0.token == header.token }) else { return ignoredAck() }
            let push = pushes.remove(at: index)  // safe: found above
            counters.pushAcks += 1
            var actions = heard(source, sentAt: push.sentAt, now: now)
            if !push.frames.isEmpty { actions.append(.delivered(push.frames)) }
            fill(now, &actions)
            return actions
        case .pullAck:
            if let pull, pull.token == header.token {
                self.pull = nil
                counters.pullAcks += 1
                nextPull = now + server.keepalive
                return heard(source, sentAt: pull.sentAt, now: now)
            }
            guard let index = oldPulls.firstIndex(of: header.token) else { return ignoredAck() }
            oldPulls.remove(at: index)
            counters.pullAcks += 1
            return heard(source, sentAt: nil, now: now)
        case .pullResp:
            counters.downlinks += 1
            var actions = heard(source, sentAt: nil, now: now)
            do throws(GWMPError) {
                guard case .pullResp(let txpk) = try GWMPContent(.pullResp, rest) else { return actions }
                actions.append(.downlink(txpk, token: header.token))
            } catch {
                actions += acknowledge(header.token, GWMPTxpkAck(refusing: error))
                actions.append(.refused(error))
            }
            return actions
        case .pushData, .pullData, .txAck:
            counters.ignored += 1
            return [.warning(kind: "unexpected-type", "\(header.type.name), which a server does not send")]
        }
    }

    private mutating func ignoredAck() -> [Action] {
        // An answer that came after its time; nothing to warn of.
        counters.ignored += 1
        return []
    }

    /// Something came from the server: it is up, at that address.
    private mutating func heard(_ source: IPAddress, sentAt: MonotonicTime?, now: MonotonicTime) -> [Action] {
        missedPulls = 0
        hasMissedPush = false
        if let sentAt { roundTrip = now - sentAt }
        if !isUp, let index = endpoints.firstIndex(of: source) { current = index }
        guard !isUp else { return [] }
        isUp = true
        return [.changed(isUp: true)]
    }

    /// The datagram that tells the server what became of a frame to send, on the socket of PULL_DATA.
    mutating func acknowledge(_ token: UInt16, _ ack: GWMPTxpkAck) -> [Action] {
        guard let address else { return [] }
        var datagram = ByteBuffer()
        datagram.writeGWMP(GWMPDatagram(token: token, gateway: eui, content: .txAck(ack)))
        return [.send(datagram, to: Endpoint(address, port: server.portDown))]
    }
}
