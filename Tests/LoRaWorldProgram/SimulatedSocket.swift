import DeviceCore
import DeviceProtocols
import DeviceSimulator
import Glibc

/// A virtual world behind the unix socket of Basics Station's test tools, so that any forwarder that speaks to it hears
/// virtual devices: Basics Station's simulation build, Semtech's forwarder with Tests/LoRa/stub_hal.c, our gateway.
///
/// One thread does all: it moves the world to the time that it is, and passes records on.
struct SimulatedSocket {
    /// Records of lora_gateway's HAL 5.0.1: lgw_pkt_rx_s and lgw_pkt_tx_s.
    private static let receivedLength = 300
    private static let sentLength = 288

    var world: LoRaWorld
    private let listener: Int32
    private var peer: Int32 = -1
    private var pending: [UInt8] = []
    /// CLOCK_MONOTONIC in microseconds at the world's zero.
    private let origin = Self.monotonic()
    /// CLOCK_MONOTONIC at the radio's start, and what to take from it to have the forwarder's ticks.
    private var startedAt: UInt64 = 0
    private var offset: UInt64 = 0
    private(set) var connections = 0
    /// Frames that the forwarder handed over, and how long before their time.
    private(set) var leads: [Int64] = []

    init(_ world: LoRaWorld, path: String) throws {
        self.world = world
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw DeviceError(.invalidArgument, "\(path) is too long for a unix socket")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        unlink(path)
        let status = withUnsafeBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                bind(listener, $0.baseAddress, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0, listen(listener, 1) == 0 else {
            throw DeviceError(.io, "cannot listen at \(path): \(String(cString: strerror(errno)))")
        }
    }

    private static func monotonic() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    /// One turn: at most 2 ms of waiting.
    mutating func turn(_ plan: RadioPlan) throws {
        var waiting = pollfd(fd: peer < 0 ? listener : peer, events: Int16(POLLIN), revents: 0)
        if poll(&waiting, 1, 2) > 0 {
            if peer < 0 { peer = accept(listener, nil, nil) } else { try read(plan) }
        }
        world.advance(to: Self.monotonic() - origin)
        for uplink in world.takeUplinks() where offset != 0 { write(record(uplink)) }
    }

    private mutating func read(_ plan: RadioPlan) throws {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(peer, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        guard count > 0 else {
            close(peer)
            (peer, offset) = (-1, 0)
            world.stop()
            return
        }
        pending += bytes.prefix(count)
        while pending.count >= Self.sentLength {
            let record = Array(pending.prefix(Self.sentLength))
            pending.removeFirst(Self.sentLength)
            if record[4] == 255 {
                offset = UInt64(number(record, 0)) << 32 | UInt64(number(record, 8))
                connections += 1
                world.advance(to: Self.monotonic() - origin)
                try world.start(plan)
                startedAt = Self.monotonic()
            } else {
                transmit(record)
            }
        }
    }

    private func number(_ record: [UInt8], _ place: Int) -> UInt32 {
        record[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    private mutating func transmit(_ record: [UInt8]) {
        world.advance(to: Self.monotonic() - origin)
        let ticks = UInt32(truncatingIfNeeded: Self.monotonic() &- offset)
        let lead = Int64(Int32(bitPattern: number(record, 8) &- ticks))
        let isAtOnce = record[4] == 0
        if !isAtOnce { leads.append(lead) }
        // One-hot: 2 is SF7.
        let factor = UInt8(truncatingIfNeeded: 6 + number(record, 16).trailingZeroBitCount)
        let rate = LoRaDataRate(spreadingFactor: factor, bandwidth: record[15] == 1 ? 500 : record[15] == 2 ? 250 : 125)
        let length = Int(record[28]) | Int(record[29]) << 8
        let downlink = RadioDownlink(
            count: isAtOnce ? nil : UInt64(max(0, Int64(world.counter) + lead)),
            frequency: RadioFrequency(hertz: number(record, 0)), modulation: .lora(rate),
            power: Int8(bitPattern: record[13]), invertsPolarity: record[21] != 0,
            preamble: UInt16(record[24]) | UInt16(record[25]) << 8, hasCRC: record[26] == 0,
            isImplicitHeader: record[27] != 0, payload: Array(record[30..<30 + min(length, 255)]))
        // What it refuses it counts.
        try? world.transmit(downlink)
    }

    private func record(_ uplink: RadioUplink) -> [UInt8] {
        var record = [UInt8](repeating: 0, count: Self.receivedLength)
        func put(_ value: UInt32, _ place: Int) {
            for index in 0..<4 { record[place + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
        }
        put(uplink.frequency.hertz, 0)
        record[4] = uplink.ifChain
        record[5] = uplink.crc == .ok ? 0x10 : uplink.crc == .bad ? 0x11 : 1
        put(UInt32(truncatingIfNeeded: startedAt &+ uplink.count &- offset), 8)
        record[12] = uplink.rfChain
        record[13] = 0x10
        guard case .lora(let rate) = uplink.modulation else { return record }
        record[14] = rate.bandwidth == 500 ? 1 : rate.bandwidth == 250 ? 2 : 3
        put(UInt32(2) << UInt32(rate.spreadingFactor - 7), 16)
        record[20] = 1
        put(Float(uplink.rssi).bitPattern, 24)
        put(Float(uplink.snr ?? 0).bitPattern, 28)
        record[42] = UInt8(truncatingIfNeeded: uplink.payload.count)
        record.replaceSubrange(44..<44 + uplink.payload.count, with: uplink.payload)
        return record
    }

    private func write(_ record: [UInt8]) {
        var rest = record[...]
        while !rest.isEmpty, peer >= 0 {
            let count = rest.withUnsafeBytes { send(peer, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
