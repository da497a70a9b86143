import DeviceCore
import DeviceProtocols
public import DeviceTransport

extension SMQClient {
    /// The client's numbers for `/metrics`.
    public var metrics: [Metric] {
        let status = currentStatus
        let (waiting, published, received, unclaimed) = state.withLock {
            ($0.outgoingBytes, $0.published, $0.received, $0.unclaimed)
        }
        let losses = SMQLossCause.allCases.map { (label: $0.rawValue, value: Double(status.losses[$0] ?? 0)) }
        let last = status.recentMoves.last
        let delivery = deliveryCounters
        var metrics = delivery.receiverMetrics
        if configuration.outbox != nil { metrics += delivery.outboxMetrics }
        return metrics + [
            Metric(.gauge, "smq_client_connected", "Whether a session is open.", status.node == nil ? 0 : 1),
            Metric(
                .gauge, "smq_client_node", "1 for the node in use.", label: "node",
                status.node.map { [(label: $0, value: 1)] } ?? []),
            Metric(.gauge, "smq_client_standby", "Whether a standby is ready.", status.standby == nil ? 0 : 1),
            Metric(.counter, "smq_client_sessions_total", "Sessions opened.", status.sessions),
            Metric(.counter, "smq_client_attempts_total", "Attempts to connect.", status.attempts),
            Metric(.counter, "smq_client_failed_attempts_total", "Attempts that failed.", status.failedAttempts),
            Metric(.counter, "smq_client_losses_total", "Sessions ended, by cause.", label: "cause", losses),
            Metric(.counter, "smq_client_moves_total", "Sessions that replaced an earlier one.", status.moves),
            Metric(
                .gauge, "smq_client_last_gap_seconds", "Time without a session at the last move.", label: nil,
                [("", last.map { Double($0.gap.wholeNanoseconds) / 1e9 } ?? 0)]),
            Metric(
                .gauge, "smq_client_longest_gap_seconds", "Longest time without a session, of the last moves.",
                label: nil,
                [("", status.recentMoves.map { Double($0.gap.wholeNanoseconds) / 1e9 }.max() ?? 0)]),
            Metric(.gauge, "smq_client_waiting_bytes", "Bytes that wait for the socket.", waiting),
            Metric(.counter, "smq_client_published_total", "Messages published.", published),
            Metric(.counter, "smq_client_received_total", "Messages received.", received),
            Metric(.counter, "smq_client_unclaimed_total", "Messages that nobody here had asked for.", unclaimed),
        ]
    }
}
