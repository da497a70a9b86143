import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

/// Another forwarder on this machine as a radio: it sends us its frames by Semtech's UDP protocol and gets back what is
/// to be sent. So every concentrator works that has a forwarder at all.
///
/// One forwarder: the first that is heard, or the one with the configured EUI. Others are counted and not answered. Its
/// clock is guessed between frames by the host's; that is only used to order frames to send, whose times are its own.
/// Until its first frame nobody knows it: the clock runs from the first datagram then, so that it is seen to live, and
/// what is to be sent goes out as soon as the forwarder can.
final class ForwarderRadio: Radio, Sendable {
    /// After so long without any datagram its clock stands still, and it counts as deaf.
    private static let silence = Duration.seconds(45)

    /// A frame that the forwarder has, or had.
    private struct Sending {
        var token: UInt16
        /// From when to when it is on the air.
        var time: ClosedRange<UInt64>
        /// The forwarder has said that it does not send it.
        var isRefused = false
    }

    private struct State {
        var counter = CounterExtension()
        var counters = RadioCounters()
        var eui: GatewayEUI?
        var pullAddress: SocketAddress?
        var heardAt: MonotonicTime?
        /// When the first datagram came.
        var beganAt: MonotonicTime?
        var lastCount: UInt64 = 0
        var listener: UDPListener?
        var send: (@Sendable (UDPDatagram) -> Void)?
        var token: UInt16 = 0
        /// The last frame of each RF chain.
        var sending: [UInt8: Sending] = [:]
        /// Tokens of frames whose fate is not known yet.
        var waiting: [UInt16] = []
        var bad: [String: UInt64] = [:]

        func guess(at now: MonotonicTime) -> UInt64 {
            counter.guess(at: now)
                ?? beganAt.map { UInt64(max(0, (now - $0).wholeNanoseconds / 1000)) } ?? 0
        }
    }

    let address: ListenAddress
    let uplinks = BoundedStream<RadioUplink>(limit: 4_096)
    /// The forwarder's own queue needs 42.5 ms and a datagram's way; it takes frames up to 512 s ahead.
    let handOver: ClosedRange<UInt64> = 150_000...2_000_000
    private let state: Locked<State>
    private let clock: DeviceClock
    private let eventLoop: any EventLoop
    /// Told of what is wrong: kind and sentence.
    private let warn: @Sendable (String, String) -> Void

    init(
        listen address: ListenAddress, eui: GatewayEUI?, clock: DeviceClock, eventLoop: any EventLoop,
        warn: @escaping @Sendable (String, String) -> Void
    ) {
        self.address = address
        self.clock = clock
        self.eventLoop = eventLoop
        self.warn = warn
        state = Locked(State(eui: eui))
    }

    var name: String { "forwarder at \(boundAddress ?? address)" }
    var counters: RadioCounters {
        var counters = state.withLock { $0.counters }
        counters.lost += uplinks.dropped
        return counters
    }
    /// A forwarder does not tell its tie to GPS time other than frame by frame.
    var timeReference: RadioTimeReference? { nil }
    /// Where it listens; the real port where 0 was asked for.
    var boundAddress: ListenAddress? { state.withLock { $0.listener?.address } }
    /// What could not be understood, by kind.
    var bad: [String: UInt64] { state.withLock { $0.bad } }

    func start(_ plan: RadioPlan) async throws(DeviceError) {
        await stop()
        let listener = try await UDPListener.start(on: address, eventLoop: eventLoop) { [weak self] in
            ForwarderReceiver(self)
        }
        state.withLock { state in
            state.listener = listener
            state.send = { datagram in listener.send([datagram]) }
            state.counters.starts += 1
            state.heardAt = nil
        }
    }

    func stop() async {
        let listener = state.withLock { state in
            defer { (state.listener, state.send) = (nil, nil) }
            return state.listener
        }
        await listener?.close()
    }

    func now() -> UInt64 {
        let now = clock.now
        return state.withLock { state in
            guard let heardAt = state.heardAt, now - heardAt < Self.silence else { return state.lastCount }
            state.lastCount = max(state.lastCount, state.guess(at: now))
            return state.lastCount
        }
    }

    func transmit(_ downlink: RadioDownlink) throws(DeviceError) {
        let now = self.now()
        let (datagram, send) = try state.withLock { state throws(DeviceError) in
            guard let send = state.send else { throw DeviceError(.closed, "\(address): the radio is stopped") }
            guard let target = state.pullAddress else {
                state.counters.refused += 1
                throw DeviceError(
                    .unavailable, "the forwarder has not sent PULL_DATA yet, so nothing can be sent to it",
                    hint: "Point its serv_port_down at \(address.port)")
            }
            state.token &+= 1
            var buffer = ByteBuffer()
            var frame = downlink
            // Only frames without a time of their own get here before the forwarder's clock is known.
            if !state.counter.isKnown { frame.count = nil }
            buffer.writeGWMP(GWMPDatagram(token: state.token, content: .pullResp(GWMPTxpk(frame))))
            state.waiting.append(state.token)
            if state.waiting.count > 64 { state.waiting.removeFirst() }
            let start = downlink.count ?? now
            state.sending[downlink.rfChain & 1] = Sending(
                token: state.token, time: start...max(start, start &+ TimeOnAir.microseconds(of: downlink)))
            state.counters.accepted += 1
            return (UDPDatagram(remoteAddress: target, data: buffer), send)
        }
        send(datagram)
    }

    func transmitStatus(rfChain: UInt8) -> RadioTransmitStatus {
        let now = self.now()
        return state.withLock { state in
            guard state.listener != nil, rfChain < 2 else { return .off }
            guard let sending = state.sending[rfChain] else { return .free }
            if sending.isRefused { return .refused }
            // Its queue takes another one while one waits.
            return sending.time.contains(now) ? .emitting : .free
        }
    }

    func abortTransmit(rfChain: UInt8) {}

    /// Takes a datagram; returns the answer.
    func receive(_ datagram: UDPDatagram, into batch: inout [RadioUplink]) -> UDPDatagram? {
        let now = clock.now
        var rest = datagram.data
        let header: GWMPHeader
        do throws(GWMPError) { header = try GWMPHeader(reading: &rest) } catch {
            note(error.kind, "from \(datagram.remoteAddress.endpoint): \(error)")
            return nil
        }
        guard let eui = header.gateway else {
            note(
                "unexpected-type",
                "from \(datagram.remoteAddress.endpoint): \(header.type.name), which a forwarder does not send")
            return nil
        }
        let isOurs = state.withLock { state in
            if state.eui == nil { state.eui = eui }
            guard state.eui == eui else { return false }
            state.heardAt = now
            if state.beganAt == nil { state.beganAt = now }
            if header.type == .pullData { state.pullAddress = datagram.remoteAddress }
            return true
        }
        guard isOurs else {
            note(
                "other-gateway", "\(eui) at \(datagram.remoteAddress.endpoint) is another forwarder than the one in use"
            )
            return nil
        }
        do throws(GWMPError) {
            switch try GWMPContent(header.type, rest) {
            case .pushData(let data):
                add(data.rxpk, now, &batch)
                for error in data.rejected { note(error.kind, "\(error)") }
            case .txAck(let ack): settle(header.token, ack)
            default: break
            }
        } catch {
            note(error.kind, "\(error)")
        }
        guard let acknowledgement = header.acknowledgement else { return nil }
        var answer = ByteBuffer()
        answer.writeGWMPHeader(acknowledgement)
        return UDPDatagram(remoteAddress: datagram.remoteAddress, data: answer)
    }

    private func add(_ frames: [GWMPRxpk], _ now: MonotonicTime, _ batch: inout [RadioUplink]) {
        state.withLock { state in
            for rxpk in frames {
                var count = state.guess(at: now)
                if let tmst = rxpk.tmst {
                    let clock = (state.counter.isKnown, state.counter.restarts)
                    count = state.counter.extend(tmst, at: now, notBelow: state.lastCount)
                    if clock != (true, state.counter.restarts) { state.counters.clockChanges += 1 }
                }
                state.counters.received += 1
                if rxpk.stat == .bad { state.counters.badCRC += 1 }
                if rxpk.stat == CRCStatus.none { state.counters.withoutCRC += 1 }
                batch.append(RadioUplink(rxpk, count: count, receivedAt: now))
            }
        }
    }

    private func settle(_ token: UInt16, _ ack: GWMPTxpkAck) {
        let isKnown = state.withLock { state in
            guard let index = state.waiting.firstIndex(of: token) else { return false }
            state.waiting.remove(at: index)
            if ack.error != nil, let chain = state.sending.first(where: { $0.value.token == token })?.key {
                state.sending[chain]?.isRefused = true
            }
            if ack.error == nil { state.counters.transmitted += 1 } else { state.counters.failed += 1 }
            return true
        }
        guard isKnown else { return note("unknown-token", "a TX_ACK for nothing that was sent") }
        if let error = ack.error {
            warn("forwarder-refused", "the forwarder did not send a frame: \(error.description.printable)")
        }
    }

    private func note(_ kind: String, _ message: String) {
        state.withLock { $0.bad[kind, default: 0] += 1 }
        warn(kind, message)
    }
}

/// Hands datagrams of the listener to the radio, and its frames on in batches.
private final class ForwarderReceiver: UDPReceiver {
    private weak var radio: ForwarderRadio?
    private var batch: [RadioUplink] = []

    init(_ radio: ForwarderRadio?) { self.radio = radio }

    func receive(_ datagram: UDPDatagram, answers: inout [UDPDatagram]) {
        if let answer = radio?.receive(datagram, into: &batch) { answers.append(answer) }
    }

    func receiveComplete() {
        radio?.uplinks.send(contentsOf: batch)
        batch.removeAll(keepingCapacity: true)
    }
}

extension GWMPTxpk {
    /// A frame to send as another forwarder takes it.
    init(_ downlink: RadioDownlink) {
        self.init(
            timing: downlink.count.map { .counter(UInt32(truncatingIfNeeded: $0)) } ?? .immediately,
            freq: downlink.frequency, rfch: downlink.rfChain, powe: downlink.power, modulation: downlink.modulation,
            codr: downlink.codingRate, ipol: downlink.invertsPolarity, payload: downlink.payload,
            ncrc: !downlink.hasCRC, nhdr: downlink.isImplicitHeader)
        prea = downlink.preamble
        if case .fsk = downlink.modulation {
            fdev = downlink.frequencyDeviation
            codr = nil
        }
    }
}
