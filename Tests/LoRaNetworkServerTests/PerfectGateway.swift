import DeviceCore
import DeviceProtocols
import DeviceSimulator
import DeviceTransport

@testable import LoRaNetworkServer

/// A virtual concentrator, its devices, and the network server, joined by a gateway that neither loses nor delays: it
/// hands each frame over 30 ms before its time.
struct PerfectGateway {
    var world: LoRaWorld
    var server: NetworkServerCore
    /// Frames that were handed over while the chain had one: two frames for one time are the server's doing.
    private(set) var overlaps = 0
    private(set) var counts: [UInt64] = []
    private var waiting: [(due: UInt64, downlink: RadioDownlink)] = []
    private let gateway = EUI64(0xA000)
    private var high: UInt64 = 0

    init(
        _ devices: [VirtualDeviceSettings], settings: VirtualConcentratorSettings = VirtualConcentratorSettings(),
        server change: (inout NetworkServerSettings) -> Void = { _ in }
    ) throws {
        let crypto = OpenSSLCrypto()
        world = LoRaWorld(settings, devices: devices, crypto: crypto)
        try world.start(RadioPlan(devices.first?.region ?? .eu868))
        var network = NetworkServerSettings(
            region: devices.first?.region ?? .eu868, devices: devices.map(\.device))
        change(&network)
        server = NetworkServerCore(network, crypto: crypto, joinNonce: 1)
    }

    /// Lets so much time pass, in steps of 10 ms at most.
    mutating func run(_ duration: Duration) throws(DeviceError) {
        let end = world.now + UInt64(duration.wholeNanoseconds / 1000)
        var nextTick = world.now
        while world.now < end {
            let event = world.nextEvent ?? end
            let due = waiting.first.map { $0.due } ?? end
            world.advance(to: min(max(world.now + 1, min(event, due)), end))
            let now = MonotonicTime(nanoseconds: Int64(world.now) * 1000)
            for uplink in world.takeUplinks() {
                counts.append(uplink.count)
                guard uplink.crc == .ok else { continue }
                let answers = server.receive(
                    ServerUplink(
                        gateway: gateway, moment: .counter(UInt32(truncatingIfNeeded: uplink.count)),
                        frequency: uplink.frequency, modulation: uplink.modulation, payload: uplink.payload),
                    at: now)
                for answer in answers { plan(answer, heard: uplink.count) }
            }
            if world.now >= nextTick {
                for downlink in server.tick(at: now) { plan(downlink, heard: nil) }
                nextTick = world.now + 1_000_000
            }
            while let first = waiting.first, first.due <= world.now {
                waiting.removeFirst()
                if world.transmitStatus(rfChain: first.downlink.rfChain) != .free {
                    overlaps += 1
                } else {
                    try world.transmit(first.downlink)
                }
            }
        }
    }

    /// The server names only the clock's low half.
    private mutating func plan(_ answer: ServerDownlink, heard: UInt64?) {
        var count: UInt64?
        if let heard {
            let low: UInt32? =
                switch answer.slot {
                case .first(.counter(let counter), let delay): counter &+ UInt32(delay) * 1_000_000
                case .second(.counter(let counter), let delay): counter &+ (UInt32(delay) + 1) * 1_000_000
                default: nil
                }
            count = low.map { heard + UInt64($0 &- UInt32(truncatingIfNeeded: heard)) }
        }
        let downlink = RadioDownlink(
            count: count, frequency: answer.frequency, modulation: answer.modulation, power: answer.power,
            payload: answer.payload)
        let lead = count.map { $0 - world.counter } ?? 0
        let due = world.now + (lead > 30_000 ? lead - 30_000 : 0)
        let place = waiting.firstIndex { $0.due > due } ?? waiting.count
        waiting.insert((due, downlink), at: place)
    }
}
