import DeviceCore
import DeviceProtocols
import Glibc

/// A radio that hears what a test says and keeps what it is to send. Its clock runs with the host's.
final class TestRadio: Radio, Sendable {
    private struct State {
        var counters = RadioCounters()
        var sent: [(frame: RadioDownlink, lead: Int64)] = []
        var offset: UInt64
        var frozenAt: UInt64?
        var busyUntil: UInt64 = 0
        var failingStarts = 0
        var reference: RadioTimeReference?
        var isBusy = false
        var wasBusy = false
    }

    let name = "test radio"
    let handOver: ClosedRange<UInt64> = 10_000...60_000
    let uplinks = BoundedStream<RadioUplink>(limit: 100_000)
    private let state: Locked<State>
    private let start = ContinuousClock.now

    /// - Parameter count: what its clock shows now.
    init(count: UInt64 = 1_000_000, reference: RadioTimeReference? = nil) {
        state = Locked(State(offset: count, reference: reference))
    }

    var counters: RadioCounters { state.withLock { $0.counters } }
    var timeReference: RadioTimeReference? { state.withLock { $0.reference } }
    var sent: [RadioDownlink] { state.withLock { $0.sent.map(\.frame) } }

    func start(_ plan: RadioPlan) async throws(DeviceError) {
        try state.withLock { state throws(DeviceError) in
            if state.failingStarts > 0 {
                state.failingStarts -= 1
                throw DeviceError(.unavailable, "the test radio does not answer")
            }
            state.frozenAt = nil
            state.counters.starts += 1
        }
    }

    func stop() async {}

    private func clock(_ state: State) -> UInt64 {
        state.frozenAt ?? state.offset + UInt64((ContinuousClock.now - start).wholeNanoseconds / 1000)
    }

    func now() -> UInt64 { state.withLock { clock($0) } }

    func transmit(_ downlink: RadioDownlink) throws(DeviceError) {
        state.withLock { state in
            let now = clock(state)
            let count = downlink.count ?? now
            state.sent.append((downlink, Int64(count) - Int64(now)))
            state.counters.accepted += 1
            state.wasBusy = state.isBusy
            state.busyUntil = count + TimeOnAir.microseconds(of: downlink)
        }
    }

    func transmitStatus(rfChain: UInt8) -> RadioTransmitStatus {
        state.withLock { state in
            guard let last = state.sent.last?.frame, let count = last.count else { return .free }
            let now = clock(state)
            if state.wasBusy, now >= count { return .channelBusy }
            return now < count ? .scheduled : now < state.busyUntil ? .emitting : .free
        }
    }

    func abortTransmit(rfChain: UInt8) {}

    // MARK: For tests

    /// Its clock stands still until the next start.
    func freeze() { state.withLock { state in state.frozenAt = clock(state) } }

    /// Whether somebody else is on its channel when it listens.
    func takeChannel(_ isTaken: Bool) { state.withLock { $0.isBusy = isTaken } }

    func failStarts(_ count: Int) { state.withLock { $0.failingStarts = count } }

    /// Hears a data frame with that counter.
    ///
    /// - Parameter devAddr: highest byte first.
    @discardableResult
    func hear(
        _ number: UInt16 = 0, crc: CRCStatus = .ok, size: Int = 4, devAddr: [UInt8] = [1, 2, 3, 4],
        rssi: Double = -60.4
    ) -> RadioUplink {
        let payload: [UInt8] =
            [0x40] + devAddr.reversed() + [0, UInt8(number & 255), UInt8(number >> 8), 1]
            + [UInt8](repeating: 0xAB, count: size)
            + [1, 2, 3, 4]
        var uplink = RadioUplink(
            count: now(), frequency: RadioFrequency(hertz: 868_100_000),
            modulation: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)), codingRate: .fourFifths, crc: crc,
            rssi: rssi, snr: 7.25, payload: payload, receivedAt: .zero)
        uplink.ifChain = 2
        state.withLock { state in
            state.counters.received += 1
            if crc == .bad { state.counters.badCRC += 1 }
        }
        uplinks.send(uplink)
        return uplink
    }
}
