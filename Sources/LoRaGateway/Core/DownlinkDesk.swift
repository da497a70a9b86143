import DeviceCore
import DeviceProtocols
import NIOCore

/// Takes what servers want sent, keeps it in the queue until just before its time, and hands it to the radio. Lives on
/// the gateway's event loop.
final class DownlinkDesk {
    private struct Order {
        var channel: UplinkChannel?
        var ticket: DownlinkTicket
        var candidate: Int
        var frame: RadioDownlink
    }

    /// How long before its time on air each frame was handed over, in microseconds.
    struct HandOver: Sendable, Hashable {
        var shortest: UInt64?
        var longest: UInt64?
        var count: UInt64 = 0
        var outside: UInt64 = 0
    }

    private(set) var queue: DownlinkQueue
    private(set) var handOver = HandOver()
    private let radio: any Radio
    private let eventLoop: any EventLoop
    /// Hears of every step of every frame.
    var told: (UInt64, DownlinkFate, RadioDownlink, UplinkChannel?) -> Void = { _, _, _, _ in }
    private var orders: [UInt64: Order] = [:]
    private var nextID: UInt64 = 0
    private var timer: Scheduled<Void>?
    private var timerAt: UInt64?
    private var clocks: UInt64
    private var lastCount: UInt64 = 0
    private var given: RadioTimeReference?
    private static let referenceLife: UInt64 = 300_000_000

    init(radio: any Radio, settings: DownlinkSettings, eventLoop: any EventLoop) {
        self.radio = radio
        self.eventLoop = eventLoop
        clocks = radio.counters.clocks
        queue = DownlinkQueue(settings)
    }

    /// Takes a frame; the server is told at once whether it will be sent.
    func submit(_ downlink: ServerDownlink, from channel: UplinkChannel?) {
        noticeRestart()
        let now = radio.now()
        let reference = self.reference
        nextID += 1
        let id = nextID
        var refusal: DownlinkRefusal?
        for (index, candidate) in downlink.candidates.enumerated() {
            var request = candidate
            request.id = id
            switch queue.enqueue(request, now: now, reference: reference) {
            case .accepted(let acceptance):
                var frame = request.frame
                frame.count = acceptance.count
                frame.power = acceptance.eirp
                orders[id] = Order(channel: channel, ticket: downlink.ticket, candidate: index, frame: frame)
                tell(id, .accepted(acceptance))
                return poll()
            case .refused(let reason): refusal = refusal ?? reason
            }
        }
        refuse(downlink, id, from: channel, .refused(refusal ?? .unsupported))
    }

    /// Answers that a frame is not sent, because a script says so.
    func refuse(_ downlink: ServerDownlink, from channel: UplinkChannel?, reason: String) {
        nextID += 1
        refuse(downlink, nextID, from: channel, .vetoed(reason))
    }

    private func refuse(_ downlink: ServerDownlink, _ id: UInt64, from channel: UplinkChannel?, _ fate: DownlinkFate) {
        guard let frame = downlink.candidates.first?.frame else { return }
        orders[id] = Order(channel: channel, ticket: downlink.ticket, candidate: 0, frame: frame)
        tell(id, fate)
        orders[id] = nil
    }

    /// How many microseconds a frame can wait before it is judged without being too late for it; nil for one that has
    /// no time of its own.
    func slack(of downlink: ServerDownlink) -> UInt64? {
        let now = radio.now()
        let start: UInt64?
        switch downlink.candidates.first?.timing {
        case .counter(let counter):
            let distance = Int32(bitPattern: counter &- UInt32(truncatingIfNeeded: now))
            start = now &+ UInt64(max(0, distance))
        case .count(let count): start = count
        case .gps(let time), .beacon(let time): start = reference?.count(atGPSTime: time)
        case .immediately, nil: start = nil
        }
        guard let start else { return nil }
        let latest = now &+ queue.settings.handOver.upperBound
        return start > latest ? start - latest : 0
    }

    /// Tells who asked, and who listens.
    private func tell(_ id: UInt64, _ fate: DownlinkFate) {
        guard let order = orders[id] else { return }
        order.channel?.tell(fate, of: order.ticket, frame: order.frame)
        told(id, fate, order.frame, order.channel)
    }

    /// The radio's tie to GPS time, else a server's, which is good for some minutes.
    var reference: RadioTimeReference? {
        if let own = radio.timeReference { return own }
        guard let given, radio.now() &- given.count < Self.referenceLife else { return nil }
        return given
    }

    /// A server says what GPS time it is.
    func use(_ reference: RadioTimeReference) { given = reference }

    /// Judges by other rules from now on; what waits stays unless the radio is started anew for them.
    func use(_ settings: DownlinkSettings) {
        noticeRestart()
        perform(queue.use(settings, now: radio.now()))
        schedule()
    }

    /// What was sent in the last hour.
    var dutyRecords: [DutyCycle.Record] { queue.dutyRecords(now: radio.now()) }

    /// Counts what an earlier run has sent.
    func restore(_ records: [DutyCycle.Record]) { queue.restoreDuty(records, now: radio.now()) }

    /// Frames that wait or are on the air.
    var count: Int { queue.count }

    /// An up-link is gone; its frames are still sent, but nobody is told.
    func forget(_ channel: UplinkChannel) {
        for (id, order) in orders where order.channel === channel { orders[id]?.channel = nil }
    }

    func stop() { timer?.cancel() }

    /// With another clock, as after a start of the radio, nothing that waits has a time any more.
    func noticeRestart() {
        let count = radio.now()
        let now = radio.counters.clocks
        defer { lastCount = count }
        guard now != clocks else { return }
        clocks = now
        given = nil
        perform(queue.restart(last: lastCount, now: count))
    }

    private func poll() {
        noticeRestart()
        let radio = radio
        perform(queue.poll(now: radio.now(), status: { radio.transmitStatus(rfChain: $0) }))
        schedule()
    }

    private func perform(_ actions: [DownlinkAction]) {
        for action in actions {
            switch action {
            case .transmit(let id, let frame): transmit(id, frame)
            case .emitted(let id, let count, _):
                tell(id, .transmitted(count: count, candidate: orders[id]?.candidate ?? 0))
                orders[id] = nil
            case .failed(let id, let failure):
                tell(id, .failed(failure))
                orders[id] = nil
            }
        }
    }

    private func transmit(_ id: UInt64, _ frame: RadioDownlink) {
        do throws(DeviceError) {
            try radio.transmit(frame)
            note(frame)
        } catch {
            perform(queue.radioRefused(id: id, rfChain: frame.rfChain))
        }
    }

    private func note(_ frame: RadioDownlink) {
        guard let count = frame.count else { return }
        let now = radio.now()
        let lead = count > now ? count - now : 0
        handOver.count += 1
        handOver.shortest = min(handOver.shortest ?? .max, lead)
        handOver.longest = max(handOver.longest ?? 0, lead)
        if !radio.handOver.contains(lead) { handOver.outside += 1 }
    }

    private func schedule() {
        let now = radio.now()
        let next = queue.deadline(now: now)
        guard next != timerAt || timer == nil else { return }
        timer?.cancel()
        timerAt = next
        guard let next else { return timer = nil }
        let delay = Int64(clamping: next > now ? next - now : 0)
        timer = eventLoop.assumeIsolated().scheduleTask(in: .microseconds(min(delay, 3_600_000_000))) { [weak self] in
            self?.timerAt = nil
            self?.timer = nil
            self?.poll()
        }
    }
}
