import DeviceCore
import DeviceProtocols
import Glibc
import NIOCore
import NIOPosix

/// A simulated SX1301 behind the unix socket that Basics Station's test tools listen on, so that other people's
/// simulators drive this gateway.
///
/// The radio's clock is this host's CLOCK_MONOTONIC less its value at the start, which the simulator is told.
final class LgwsimRadio: Radio, Sendable {
    private struct State {
        var channel: (any Channel)?
        var startMicroseconds: UInt64 = 0
        var stoppedAt: UInt64 = 0
        var counters = RadioCounters()
        var sending: [UInt8: ClosedRange<UInt64>] = [:]
    }

    let path: String
    let uplinks = BoundedStream<RadioUplink>(limit: 4_096)
    let handOver: ClosedRange<UInt64> = 10_000...60_000
    private let state = Locked(State())
    private let clock: DeviceClock
    private let eventLoop: any EventLoop
    private let warn: @Sendable (String, String) -> Void

    init(
        path: String, clock: DeviceClock, eventLoop: any EventLoop, warn: @escaping @Sendable (String, String) -> Void
    ) {
        self.path = path
        self.clock = clock
        self.eventLoop = eventLoop
        self.warn = warn
    }

    var name: String { "simulated radio at \(path)" }
    var counters: RadioCounters {
        var counters = state.withLock { $0.counters }
        counters.lost += uplinks.dropped
        return counters
    }
    var timeReference: RadioTimeReference? { nil }

    func start(_ plan: RadioPlan) async throws(DeviceError) {
        await stop()
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(LgwsimHandler(self))
                    }
                }
                .connect(unixDomainSocketPath: path).get()
        } catch {
            throw DeviceError(
                .unavailable, "nobody listens on the simulated radio's socket \(path)",
                hint: "Start the simulator in that directory; the gateway tries again", cause: error)
        }
        let start = Self.monotonic
        let hello = LgwsimRecord.hello(timeOffset: Int64(clamping: start), unit: 0)
        state.withLock { state in
            state.channel = channel
            state.startMicroseconds = start
            state.sending = [:]
            state.counters.starts += 1
        }
        channel.writeAndFlush(hello, promise: nil)
    }

    func stop() async {
        let channel = state.withLock { state in
            state.stoppedAt = now(state)
            defer { state.channel = nil }
            return state.channel
        }
        try? await channel?.close().get()
    }

    func now() -> UInt64 { state.withLock { now($0) } }

    private func now(_ state: State) -> UInt64 {
        // Without a simulator the clock stands still, which is how its end is noticed.
        guard state.channel?.isActive == true else { return state.stoppedAt }
        return Self.monotonic &- state.startMicroseconds
    }

    private static var monotonic: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
    }

    func transmit(_ downlink: RadioDownlink) throws(DeviceError) {
        guard downlink.rfChain < 2, let record = LgwsimRecord.encode(downlink) else {
            state.withLock { $0.counters.refused += 1 }
            throw DeviceError(
                .invalidArgument, "an SX1301 cannot send \(downlink.modulation) on chain \(downlink.rfChain)")
        }
        let channel = try state.withLock { state throws(DeviceError) in
            guard let channel = state.channel, channel.isActive else {
                throw DeviceError(.closed, "the simulated radio at \(path) is not connected")
            }
            let start = downlink.count ?? now(state)
            state.sending[downlink.rfChain] = start...(start &+ TimeOnAir.microseconds(of: downlink))
            state.counters.accepted += 1
            state.counters.transmitted += 1
            return channel
        }
        channel.writeAndFlush(record, promise: nil)
    }

    func transmitStatus(rfChain: UInt8) -> RadioTransmitStatus {
        state.withLock { state in
            guard state.channel?.isActive == true, rfChain < 2 else { return .off }
            let now = now(state)
            guard let sending = state.sending[rfChain], now <= sending.upperBound else { return .free }
            return now < sending.lowerBound ? .scheduled : .emitting
        }
    }

    func abortTransmit(rfChain: UInt8) { _ = state.withLock { $0.sending.removeValue(forKey: rfChain) } }

    /// Takes whole records that came together.
    fileprivate func receive(_ records: [ByteBuffer]) {
        let time = clock.now
        var faults: [String] = []
        let batch = state.withLock { state -> [RadioUplink] in
            let now = now(state)
            var batch: [RadioUplink] = []
            batch.reserveCapacity(records.count)
            for record in records {
                switch LgwsimRecord.decode(record, receivedAt: time) {
                case .busyTable: break
                case .impossible(let what):
                    state.counters.faults += 1
                    faults.append(what)
                case .frame(var uplink, let count):
                    let difference = Int64(Int32(bitPattern: count &- UInt32(truncatingIfNeeded: now)))
                    uplink.count =
                        difference >= 0 ? now &+ UInt64(difference) : now &- min(now, difference.magnitude)
                    state.counters.received += 1
                    if uplink.crc == .bad { state.counters.badCRC += 1 }
                    if uplink.crc == CRCStatus.none { state.counters.withoutCRC += 1 }
                    batch.append(uplink)
                }
            }
            return batch
        }
        uplinks.send(contentsOf: batch)
        for what in faults { warn("lgwsim", "the simulated radio sent \(what)") }
    }

    fileprivate func ended() { state.withLock { $0.stoppedAt = Self.monotonic &- $0.startMicroseconds } }
}

/// Cuts the stream into records, and hands those on together that came together.
private final class LgwsimHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let radio: LgwsimRadio
    private var rest = ByteBuffer()
    private var records: [ByteBuffer] = []

    init(_ radio: LgwsimRadio) { self.radio = radio }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        if rest.readableBytes > 0 {
            let missing = min(LgwsimRecord.receivedSize - rest.readableBytes, data.readableBytes)
            if var end = data.readSlice(length: missing) { rest.writeBuffer(&end) }
            guard rest.readableBytes == LgwsimRecord.receivedSize else { return }
            records.append(rest)
            rest = ByteBuffer()
        }
        while let record = data.readSlice(length: LgwsimRecord.receivedSize) { records.append(record) }
        if data.readableBytes > 0 { rest = ByteBuffer(buffer: data) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard !records.isEmpty else { return }
        radio.receive(records)
        records.removeAll(keepingCapacity: true)
    }

    func channelInactive(context: ChannelHandlerContext) {
        radio.ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
