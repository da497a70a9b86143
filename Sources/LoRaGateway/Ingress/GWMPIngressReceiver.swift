import DeviceCore
import DeviceTransport
import NIOCore

/// Connects the ingress to a UDP socket and to the output.
///
/// The lock is for the summary at the end; while the socket is open only its event loop takes it.
final class GWMPIngressReceiver: UDPReceiver, Sendable {
    private struct State {
        var ingress: GWMPIngress
        var events: [GatewayEvent] = []
    }

    private let state: Locked<State>
    private let clock: DeviceClock
    private let output: EventOutput<GatewayEvent>

    init(table: GatewayTable, clock: DeviceClock, output: EventOutput<GatewayEvent>) {
        state = Locked(State(ingress: GWMPIngress(table: table)))
        self.clock = clock
        self.output = output
    }

    func receive(_ datagram: UDPDatagram, answers: inout [UDPDatagram]) {
        let now = clock.now
        let answer = state.withLock { state in
            state.ingress.receive(datagram.data, from: datagram.remoteAddress, at: now, events: &state.events)
        }
        if let answer { answers.append(UDPDatagram(remoteAddress: datagram.remoteAddress, data: answer)) }
    }

    func receiveComplete() {
        let events = state.withLock { state in
            defer { state.events.removeAll(keepingCapacity: true) }
            return state.events
        }
        output.report(contentsOf: events)
    }

    /// Counts since the start.
    var summary: GatewaySummary {
        let (counters, gateways) = state.withLock { ($0.ingress.counters, $0.ingress.table.all) }
        return GatewaySummary(counters: counters, gateways: gateways, time: clock.now - .zero)
    }
}
