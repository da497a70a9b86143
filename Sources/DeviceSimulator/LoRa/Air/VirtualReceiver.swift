import DeviceCore
import DeviceProtocols

/// The hearing half of the virtual concentrator: which of the frames on the air become packets, and which are lost.
///
/// As on the chips, a frame takes a demodulator at the end of its preamble and keeps it to its end; frames of several
/// channels and spreading factors are heard at once.
struct VirtualReceiver {
    /// Frames on the air at once; more are refused.
    static let limit = 10_000

    private struct Tracked {
        var frame: AirFrame
        var channel: RadioChannel?
        var isOver = false
    }

    private(set) var counters = VirtualAirCounters()
    private var tracked: [UInt64: Tracked] = [:]
    private var channels: [RadioChannel] = []
    private var isPublic = true
    private let demodulators: Int
    private let link: RadioLink
    private var takenDemodulators = 0
    /// Since when it hears without a break; nil while it does not.
    private var hearingSince: UInt64?
    private var silence = Silence.stopped
    /// How long frames that are over are remembered, for who listens before talking.
    private var memory: UInt64 = 0

    /// Why it does not hear.
    enum Silence {
        case stopped
        case sending
        case deaf
    }

    init(demodulators: Int, link: RadioLink) {
        self.demodulators = demodulators
        self.link = link
    }

    /// Frames on the air, and those whose traces still matter for others.
    var trackedCount: Int { tracked.count }

    /// Begins to hear with a plan.
    mutating func listen(_ plan: RadioPlan, at now: UInt64) {
        channels = plan.channels
        isPublic = plan.isPublic
        hearingSince = now
        let scans = plan.listenBeforeTalk.map { $0.channels.map(\.scanTime) + [$0.scanTime] } ?? []
        memory = UInt64(scans.max() ?? 0)
    }

    /// Hears again, after having sent.
    mutating func resume(at now: UInt64) { hearingSince = now }

    /// Hears nothing from now on; what is half received is lost.
    mutating func fallSilent(_ reason: Silence) {
        hearingSince = nil
        silence = reason
        for number in tracked.keys where tracked[number]?.channel != nil && tracked[number]?.isOver == false {
            tracked[number]?.channel = nil
            takenDemodulators -= 1
            countSilence()
        }
    }

    private mutating func countSilence() {
        switch silence {
        case .stopped: counters.stopped += 1
        case .sending: counters.whileSending += 1
        case .deaf: counters.deaf += 1
        }
    }

    /// A frame begins.
    ///
    /// - Returns: false when there are too many; it is lost then.
    mutating func begin(_ frame: AirFrame, isGhost: Bool) -> Bool {
        counters.sent += 1
        if isGhost { counters.ghosts += 1 }
        guard tracked.count < Self.limit else {
            counters.refused += 1
            return false
        }
        tracked[frame.number] = Tracked(frame: frame)
        return true
    }

    /// A frame's preamble is over.
    mutating func lock(_ number: UInt64) {
        guard let frame = tracked[number]?.frame else { return }
        guard isPublic, let channel = channels.first(where: { $0.hears(frame) }) else {
            counters.notInPlan += 1
            return
        }
        guard let since = hearingSince, since <= frame.lastChance else {
            // What made it silent at the frame's beginning is what it was silent for last.
            countSilence()
            return
        }
        let ratio = frame.strength - link.noise(bandwidth: RadioLink.bandwidth(frame.modulation))
        guard ratio >= RadioLink.requiredSNR(frame.modulation) else {
            counters.tooWeak += 1
            return
        }
        guard takenDemodulators < demodulators else {
            counters.noDemodulator += 1
            return
        }
        takenDemodulators += 1
        tracked[number]?.channel = channel
    }

    /// A frame is over.
    ///
    /// - Returns: what the concentrator hands out, with ``RadioUplink/count`` in world time; nil for a frame that is
    ///   lost.
    mutating func end(_ number: UInt64, random: inout SplitMix64) -> RadioUplink? {
        guard let entry = tracked[number] else { return nil }
        tracked[number]?.isOver = true
        defer { forget(at: entry.frame.end) }
        guard let channel = entry.channel else { return nil }
        takenDemodulators -= 1
        let frame = entry.frame
        var isDamaged = false
        for other in tracked.values where other.frame.number != number && disturbs(other.frame, frame) {
            if other.frame.start < frame.headerEnd && other.frame.end > frame.lastChance {
                counters.collided += 1
                return nil
            }
            isDamaged = true
        }
        return packet(frame, channel, isDamaged: isDamaged, random: &random)
    }

    private func disturbs(_ other: AirFrame, _ frame: AirFrame) -> Bool {
        other.start < frame.end && other.end > frame.lastChance && other.touches(frame)
            && frame.strength - other.strength
                < RadioLink.requiredSIR(frame.modulation, against: other.modulation)
    }

    private mutating func packet(
        _ frame: AirFrame, _ channel: RadioChannel, isDamaged: Bool, random: inout SplitMix64
    ) -> RadioUplink {
        let noise = link.noise(bandwidth: RadioLink.bandwidth(frame.modulation))
        let ratio = frame.strength - noise
        let margin = ratio - RadioLink.requiredSNR(frame.modulation)
        // Near the limit half of the frames have errors, 2 dB above it none.
        let hasErrors = isDamaged || Double.random(in: 0..<1, using: &random) > 0.5 + margin / 4
        var uplink = RadioUplink(
            count: frame.end, frequency: channel.frequency, modulation: frame.modulation,
            crc: frame.crc == .ok && hasErrors ? .bad : frame.crc, rssi: Self.sum(frame.strength, noise).tenths,
            ifChain: channel.ifChain, rfChain: channel.rfChain, payload: frame.payload, receivedAt: .zero)
        if case .lora = frame.modulation {
            uplink.codingRate = frame.codingRate
            uplink.signalRSSI = frame.strength.tenths
            // Chips show no more than this, however near the sender is.
            uplink.snr = min(ratio, 12.5).tenths
            uplink.modem = channel.ifChain
            uplink.frequencyOffset = Int32(
                clamping: Int64(frame.frequency.hertz) - Int64(channel.frequency.hertz)
                    + Int64.random(in: -300...300, using: &random))
        }
        if hasErrors, !uplink.payload.isEmpty {
            for _ in 0..<3 {
                let index = Int.random(in: 0..<uplink.payload.count, using: &random)
                uplink.payload[index] ^= UInt8.random(in: 1...255, using: &random)  // safe: drawn below the count
            }
        }
        if uplink.crc == .bad { counters.badCRC += 1 } else { counters.heard += 1 }
        return uplink
    }

    /// Forgets frames that are over and overlap none that is not.
    private mutating func forget(at now: UInt64) {
        let oldest = tracked.values.lazy.filter { !$0.isOver }.map(\.frame.start).min() ?? .max
        let listening = now > memory ? now - memory : 0
        tracked = tracked.filter {
            !$0.value.isOver || $0.value.frame.end > oldest || memory > 0 && $0.value.frame.end > listening
        }
    }

    /// What is heard on a channel during its scan time, in dBm.
    func strength(on channel: ListenBeforeTalk.Channel, until now: UInt64) -> Double {
        let width = Double(channel.bandwidth) * 1000
        let from = now > channel.scanTime ? now - UInt64(channel.scanTime) : 0
        return tracked.values.reduce(link.noise(bandwidth: width)) { strength, entry in
            let frame = entry.frame
            let distance = (Double(frame.frequency.hertz) - Double(channel.frequency.hertz)).magnitude
            guard frame.start < now, frame.end > from,
                distance < (RadioLink.bandwidth(frame.modulation) + width) / 2
            else { return strength }
            return Self.sum(strength, frame.strength)
        }
    }

    /// Two strengths in dBm together.
    private static func sum(_ left: Double, _ right: Double) -> Double {
        let (greater, less) = left > right ? (left, right) : (right, left)
        return greater + RadioLink.gain(of: less - greater)
    }
}

extension RadioChannel {
    /// Whether its modem hears such a frame: within a quarter of the bandwidth of its frequency.
    func hears(_ frame: AirFrame) -> Bool {
        let distance = Double(frame.frequency.hertz) - Double(frequency.hertz)
        guard distance.magnitude <= RadioLink.bandwidth(frame.modulation) / 4 else { return false }
        switch (modem, frame.modulation) {
        case (.multiSF(let factors), .lora(let rate)):
            return rate.bandwidth == 125 && factors.contains(rate.spreadingFactor)
        case (.lora(let own), .lora(let rate)): return own == rate
        case (.fsk(let bitRate, _), .fsk(let other)): return bitRate == other
        default: return false
        }
    }
}

extension Double {
    /// Rounded to tenths.
    fileprivate var tenths: Double { (self * 10).rounded() / 10 }
}
