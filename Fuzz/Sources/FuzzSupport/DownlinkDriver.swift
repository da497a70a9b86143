@testable import DeviceProtocols

/// Drives a downlink queue: requests of any kind, a clock that runs and jumps, a radio that does what it likes.
public struct DownlinkDriver {
    private var queue: DownlinkQueue
    private var now: UInt64
    private var reference: RadioTimeReference?
    private var nextID: UInt64 = 0
    private var waiting: Set<UInt64> = []

    /// A queue whose region and settings come from the first bytes of the input.
    public init(_ input: inout FuzzInput) {
        let choice = input.byte()
        let regions = Region.all
        let region = regions.indices.contains(Int(choice & 15)) ? regions[Int(choice & 15)] : nil
        var plan = RadioPlan(region ?? .eu868)
        plan.rfChains[0].gains = [-6, 0, 12, 14, 20, 27].map { RadioGain(power: $0) }
        plan.antennaGain = Double(Int8(bitPattern: input.byte())) / 7
        plan.rfChains.append(plan.rfChains[0])
        var settings = DownlinkSettings(plan: plan, region: region)
        settings.limit = 4
        settings.trustsServer = choice & 16 != 0
        if choice & 32 != 0 { settings.beacons = DownlinkSettings.BeaconTimes(airtime: 152_576) }
        // Just below a wrap of 32 bits, or anywhere.
        now = choice & 64 != 0 ? (1 << 32) - 1_000_000 : Self.number(&input)
        queue = DownlinkQueue(settings)
    }

    /// Plays the input to its end.
    public mutating func run(_ input: inout FuzzInput) {
        while !input.isEmpty {
            step(&input)
            check()
        }
    }

    private static func number(_ input: inout FuzzInput) -> UInt64 {
        input.bytes(5).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private mutating func step(_ input: inout FuzzInput) {
        switch input.byte() % 9 {
        case 0, 1, 2: request(&input)
        case 3: advance(by: UInt64(input.byte()) * 1000)
        case 4: advance(by: Self.number(&input))
        case 5:
            if let deadline = queue.deadline(now: now) { now = max(now, deadline) }
            poll(input.byte())
        case 6: poll(input.byte())
        case 7:
            let count = Self.number(&input)
            perform(queue.restart(last: now, now: count))
            now = count
            if waiting.isEmpty == false { expect(false, "frames outlive a restart") }
        default:
            let time = Self.number(&input)
            reference = input.byte() % 4 == 0 ? nil : RadioTimeReference(count: now, gpsTime: time)
        }
    }

    private mutating func advance(by time: UInt64) { now = now.addingClamped(min(time, 1 << 40)) }

    private mutating func request(_ input: inout FuzzInput) {
        let choice = input.byte()
        let offset = UInt64(input.byte()) << UInt64(input.byte() % 24)
        let timing: DownlinkRequest.Timing =
            switch choice % 6 {
            case 0: .immediately
            case 1: .counter(UInt32(truncatingIfNeeded: now &+ offset))
            case 2: .counter(UInt32(truncatingIfNeeded: now &- offset))
            case 3: .count(now.addingClamped(offset))
            case 4: .gps(microseconds: (reference?.gpsTime ?? 0).addingClamped(offset))
            default: .beacon(gpsMicroseconds: (reference?.gpsTime ?? 0).addingClamped(offset))
            }
        let shape = input.byte()
        var frame = RadioDownlink(
            count: nil, frequency: RadioFrequency(hertz: 863_000_000 + UInt32(input.byte()) * 50_000),
            modulation: shape & 15 == 0
                ? .fsk(bitRate: 50_000)
                : .lora(LoRaDataRate(spreadingFactor: 4 + shape & 15, bandwidth: shape & 16 == 0 ? 125 : 500)),
            power: 0, preamble: shape & 128 == 0 ? 8 : .max, rfChain: choice >> 6,
            payload: [UInt8](repeating: 0, count: Int(input.byte())))
        if shape & 32 != 0 { frame.frequency = Region.eu868.rx2Frequency }
        nextID += 1
        let outcome = queue.enqueue(
            DownlinkRequest(id: nextID, timing: timing, eirp: Int8(bitPattern: input.byte()), frame: frame), now: now,
            reference: reference)
        guard case .accepted(let acceptance) = outcome else { return }
        waiting.insert(nextID)
        let notice = acceptance.count.subtractingClamped(now)
        expect(notice >= queue.settings.shortestNotice || now > .max / 2, "accepted \(notice) us ahead")
        expect(notice <= queue.settings.maximumAdvance, "accepted \(notice) us ahead")
    }

    private mutating func poll(_ choice: UInt8) {
        let states: [RadioTransmitStatus] = [.free, .scheduled, .emitting, .off]
        let state = states[Int(choice & 3)]
        perform(queue.poll(now: now) { _ in state })
    }

    private mutating func perform(_ actions: [DownlinkAction]) {
        for action in actions {
            switch action {
            case .transmit(let id, let frame):
                expect(waiting.contains(id), "an unknown frame")
                let notice = (frame.count ?? 0).subtractingClamped(now)
                expect(queue.settings.handOver.contains(notice), "handed over \(notice) us ahead")
                if id % 5 == 0 { perform(queue.radioRefused(id: id, rfChain: frame.rfChain)) }
            case .emitted(let id, _, _), .failed(let id, _):
                expect(waiting.remove(id) != nil, "an end of an unknown frame")
            }
        }
    }

    /// What holds after each step.
    private func check() {
        let counters = queue.counters
        let answered = counters.accepted + counters.refused.values.reduce(0, +)
        expect(counters.requested == answered, "a request without an answer")
        let ended = counters.emitted + counters.failed.values.reduce(0, +)
        expect(counters.accepted == ended + UInt64(waiting.count), "a frame without an end")
        if let deadline = queue.deadline(now: now) { expect(deadline > now, "a deadline that is past") }
        for chain in queue.chains {
            expect(chain.count <= queue.settings.limit, "more than the limit")
            for (first, second) in zip(chain, chain.dropFirst()) {
                expect(first.end.addingClamped(queue.settings.turnaround) <= second.start, "frames overlap")
            }
        }
        guard !queue.settings.trustsServer, let region = queue.settings.region else { return }
        for band in region.bands.indices {
            guard let budget = queue.dutyCycle.budget(band: band) else { continue }
            expect(queue.dutyCycle.used(band: band, at: queue.dutyTime(now)) <= budget, "over the duty cycle")
        }
    }
}
