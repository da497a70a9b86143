import DeviceCore
import DeviceProtocols
import DeviceSimulator
import DeviceTransport
import LoRaNetworkServer

/// Hours of a gateway in seconds: virtual devices, their air and concentrator, the gateway's downlink queue, and a
/// network that speaks to it in the JSON of GWMP, all on the world's time.
///
/// It begins a second before the radio's counter passes 2^32 microseconds, which it then does every 71.6 minutes.
struct LongRun {
    private static let gateway = EUI64(0xA000)

    private var world: LoRaWorld
    private var server: NetworkServerCore
    private var queue: DownlinkQueue
    private var requests: UInt64 = 0
    private var wrongJSON: UInt64 = 0
    private var nextTick: UInt64 = 0
    private let firstWrap: UInt64

    init(devices: Int) throws {
        let fleet = VirtualDeviceSettings.fleet(devices, seed: 9, interval: .seconds(600), radius: 3000)
        var settings = VirtualConcentratorSettings()
        settings.counterStart = (1 << 32) - 1_000_000
        firstWrap = settings.counterStart >> 32
        let crypto = OpenSSLCrypto()
        world = LoRaWorld(settings, devices: fleet, crypto: crypto)
        let plan = RadioPlan(.eu868)
        try world.start(plan)
        queue = DownlinkQueue(DownlinkSettings(plan: plan, region: .eu868))
        // Every frame is answered: far more than the duty cycle allows.
        server = NetworkServerCore(
            NetworkServerSettings(region: .eu868, devices: fleet.map(\.device)), crypto: crypto, joinNonce: 1)
    }

    /// Lets hours pass, and tells how it is after each. The last value says whether all is as it has to be.
    mutating func run(hours: Int, report: (JSONValue) -> Void) throws {
        var afterTwo: Int64?
        var largest: (events: Int, frames: Int, waiting: Int) = (0, 0, 0)
        for hour in 1...hours {
            let end = world.now + 3_600_000_000
            while world.now < end {
                try step(until: end)
                largest.events = max(largest.events, world.load.events)
                largest.frames = max(largest.frames, world.load.frames)
                largest.waiting = max(largest.waiting, queue.count)
            }
            if hour <= 2 { afterTwo = Self.resident }
            report(describe(hour, largest))
        }
        let counters = queue.counters
        let growth = Self.resident - (afterTwo ?? 0)
        let wraps = (world.counter >> 32) - firstWrap
        report([
            "wraps": .integer(Int64(clamping: wraps)), "growth since hour 2, kB": .integer(growth),
            "timesRight": .bool(counters.refused[.tooLate] == nil && counters.refused[.tooEarly] == nil),
            "allSent": .bool(counters.failed.isEmpty && wrongJSON == 0),
            "countsRight": .bool(
                counters.requested == counters.accepted + counters.refused.values.reduce(0, +)
                    && counters.accepted == counters.emitted + UInt64(queue.count)),
            "dutyCycleReached": .bool((counters.refused[.dutyCycle] ?? 0) > 0),
        ])
    }

    private mutating func step(until end: UInt64) throws {
        var next = min(world.nextEvent ?? end, end, nextTick)
        if let deadline = queue.deadline(now: world.counter) { next = min(next, world.now + deadline - world.counter) }
        world.advance(to: max(world.now + 1, next))
        let now = MonotonicTime(nanoseconds: Int64(clamping: world.now) * 1000)
        for uplink in world.takeUplinks() where uplink.crc == .ok { try receive(uplink, now) }
        if world.now >= nextTick {
            for downlink in server.tick(at: now) { submit(downlink) }
            nextTick = world.now + 1_000_000
        }
        let senders = (UInt8(0)..<2).map { world.transmitStatus(rfChain: $0) }
        for action in queue.poll(
            now: world.counter, status: { senders.indices.contains(Int($0)) ? senders[Int($0)] : .off })
        {
            guard case .transmit(let id, let frame) = action else { continue }
            do throws(DeviceError) { try world.transmit(frame) } catch {
                _ = queue.radioRefused(id: id, rfChain: frame.rfChain)
            }
        }
    }

    /// A frame as the server hears of it: by its JSON, in which the counter has 32 bits.
    private mutating func receive(_ uplink: RadioUplink, _ now: MonotonicTime) throws {
        var rxpk = GWMPRxpk(
            freq: uplink.frequency, modulation: uplink.modulation, codr: uplink.codingRate, payload: uplink.payload)
        rxpk.tmst = UInt32(truncatingIfNeeded: uplink.count)
        let read = try GWMPRxpk(try JSONValue(parsing: rxpk.json.utf8, options: .message))
        guard let counter = read.tmst else {
            wrongJSON += 1
            return
        }
        let answers = server.receive(
            ServerUplink(
                gateway: Self.gateway, moment: .counter(counter), frequency: read.freq, modulation: read.modulation,
                payload: read.payload), at: now)
        for answer in answers { submit(answer) }
    }

    private mutating func submit(_ downlink: ServerDownlink) {
        requests += 1
        guard let value = try? JSONValue(parsing: downlink.txpk.json.utf8, options: .message),
            let txpk = try? GWMPTxpk(value)
        else {
            wrongJSON += 1
            return
        }
        let outcome = queue.enqueue(DownlinkRequest(txpk, id: requests), now: world.counter)
        server.report(refusal: outcome.txpkAck.error?.description)
    }

    private func describe(_ hour: Int, _ largest: (events: Int, frames: Int, waiting: Int)) -> JSONValue {
        func number(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
        let counters = queue.counters
        return [
            "hour": .integer(Int64(hour)), "resident kB": .integer(Self.resident),
            "wraps": number((world.counter >> 32) - firstWrap), "joins": number(server.counters.joins),
            "uplinks": number(server.counters.uplinks), "requested": number(counters.requested),
            "sent": number(counters.emitted),
            "refused": .object(JSONObject(counters.refused.map { ($0.key.rawValue, number($0.value)) })),
            "failed": .object(JSONObject(counters.failed.map { ($0.key.rawValue, number($0.value)) })),
            "largest": [
                "events": .integer(Int64(largest.events)), "frames": .integer(Int64(largest.frames)),
                "waiting": .integer(Int64(largest.waiting)),
            ],
        ]
    }

    /// Memory in kB (proc(5), statm).
    private static var resident: Int64 {
        let fields = ((try? SystemFile.text("/proc/self/statm")) ?? "").split(separator: " ")
        return fields.count > 1 ? (Int64(fields[1]) ?? 0) * 4 : 0
    }
}
