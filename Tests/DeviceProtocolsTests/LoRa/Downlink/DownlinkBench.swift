import DeviceProtocols
import Testing

/// A queue and a sender that behaves as a concentrator's does, on a clock that the test moves.
struct DownlinkBench {
    struct Sent {
        var id: UInt64
        var frame: RadioDownlink
        var start: UInt64
        var end: UInt64
        /// How long before its start it was handed over.
        var notice: UInt64
    }

    var queue: DownlinkQueue
    var now: UInt64
    var reference: RadioTimeReference?
    var sent: [Sent] = []
    var actions: [DownlinkAction] = []
    /// Frames that the radio refuses, by number.
    var refusing: Set<UInt64> = []
    /// Frames that the radio takes and does not send.
    var swallowing: Set<UInt64> = []
    /// Frames whose channel is taken when the radio listens.
    var busy: Set<UInt64> = []
    private var wasBusy: Set<UInt8> = []
    /// The modem's frame, by RF chain.
    private var modem: [UInt8: Sent] = [:]

    init(_ settings: DownlinkSettings, now: UInt64 = 10_000_000) {
        queue = DownlinkQueue(settings)
        self.now = now
    }

    /// A plan with two chains for all frequencies, the second one deaf to transmit requests.
    static func plan(gains: [Int8] = [], antenna: Double = 0) -> RadioPlan {
        let range = RadioFrequency(hertz: 860_000_000)...RadioFrequency(hertz: 930_000_000)
        return RadioPlan(
            rfChains: [
                RadioRFChain(
                    frequency: RadioFrequency(hertz: 867_500_000), transmitRange: range,
                    gains: gains.map { RadioGain(power: $0) }),
                RadioRFChain(frequency: RadioFrequency(hertz: 868_500_000), transmitRange: nil),
                RadioRFChain(frequency: RadioFrequency(hertz: 868_500_000), transmitRange: range),
            ],
            channels: [], antennaGain: antenna)
    }

    static func settings(_ region: Region? = .eu868) -> DownlinkSettings {
        DownlinkSettings(plan: plan(), region: region)
    }

    static func frame(
        _ factor: UInt8 = 7, _ bandwidth: UInt16 = 125, bytes: Int = 12, hertz: UInt32 = 869_525_000, chain: UInt8 = 0
    ) -> RadioDownlink {
        RadioDownlink(
            count: nil, frequency: RadioFrequency(hertz: hertz),
            modulation: .lora(LoRaDataRate(spreadingFactor: factor, bandwidth: bandwidth)), power: 0, rfChain: chain,
            payload: [UInt8](repeating: 0x60, count: bytes))
    }

    @discardableResult
    mutating func request(
        _ timing: DownlinkRequest.Timing, id: UInt64 = 1, eirp: Int8? = nil, _ frame: RadioDownlink = frame()
    ) -> DownlinkOutcome {
        queue.enqueue(
            DownlinkRequest(id: id, timing: timing, eirp: eirp, frame: frame), now: now, reference: reference)
    }

    func status(_ chain: UInt8) -> RadioTransmitStatus {
        guard let frame = modem[chain], now < frame.end else { return wasBusy.contains(chain) ? .channelBusy : .free }
        return now < frame.start ? .scheduled : .emitting
    }

    /// Does what the owner of a queue does.
    mutating func poll() {
        for action in queue.poll(now: now, status: status) {
            actions.append(action)
            guard case .transmit(let id, let frame) = action, let start = frame.count else { continue }
            if refusing.contains(id) {
                actions += queue.radioRefused(id: id, rfChain: frame.rfChain)
                continue
            }
            if swallowing.contains(id) { continue }
            // The hardware forgets a frame that waits when another comes, and takes none while it sends.
            #expect([.free, .channelBusy].contains(status(frame.rfChain)), "handed over to a busy sender")
            if busy.contains(id) {
                wasBusy.insert(frame.rfChain)
                continue
            }
            wasBusy.remove(frame.rfChain)
            let sent = Sent(
                id: id, frame: frame, start: start, end: start + TimeOnAir.microseconds(of: frame),
                notice: start > now ? start - now : 0)
            modem[frame.rfChain] = sent
            self.sent.append(sent)
        }
    }

    /// Moves the clock, polling when the queue wants it, each time a little late.
    mutating func run(until time: UInt64, late: () -> UInt64 = { 0 }) {
        poll()
        while let deadline = queue.deadline(now: now), deadline <= time {
            now = max(now, deadline) + late()
            poll()
        }
        now = max(now, time)
        poll()
    }
}

extension DownlinkOutcome {
    var refusal: DownlinkRefusal? {
        if case .refused(let refusal) = self { refusal } else { nil }
    }

    var acceptance: Acceptance? {
        if case .accepted(let acceptance) = self { acceptance } else { nil }
    }
}
