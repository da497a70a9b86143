import DeviceProtocols
public import DeviceTransport

extension SMQBroker.Snapshot {
    /// The broker's numbers for `/metrics`.
    public var metrics: [Metric] { brokerMetrics + (cluster?.metrics ?? []) }

    private var brokerMetrics: [Metric] {
        let closed = statistics.closed.map { (label: $0.key.rawValue, value: Double($0.value)) }
        return [
            Metric(.gauge, "smq_broker_clients", "Clients connected.", clients),
            Metric(.gauge, "smq_broker_topics", "Named topics.", topics),
            Metric(.gauge, "smq_broker_queued_bytes", "Bytes that wait for clients.", queuedBytes),
            Metric(
                .counter, "smq_broker_messages_received_total", "Publishes read from clients.",
                statistics.messagesReceived),
            Metric(
                .counter, "smq_broker_messages_delivered_total", "Publishes queued to receivers.",
                statistics.messagesDelivered),
            Metric(
                .counter, "smq_broker_received_bytes_total", "Bytes read from clients.", statistics.bytesReceived),
            Metric(.counter, "smq_broker_queued_bytes_total", "Bytes queued to clients.", statistics.bytesQueued),
            Metric(
                .counter, "smq_broker_unroutable_total", "Publishes to an id that nobody listens to.",
                statistics.unroutable),
            Metric(
                .counter, "smq_broker_too_long_total", "Publishes longer than their receiver takes.",
                statistics.tooLongForReceiver),
            Metric(
                .counter, "smq_broker_forbidden_total", "Publishes to a topic that is not permitted, or refused.",
                statistics.forbidden),
            Metric(.counter, "smq_broker_asked_total", "Questions about what clients want to do.", statistics.asked),
            Metric(
                .counter, "smq_broker_unanswered_total", "Questions that nobody answered in time.",
                statistics.unanswered),
            Metric(.counter, "smq_broker_denied_total", "Names denied by a limit or a rule.", statistics.denied),
            Metric(.counter, "smq_broker_stalls_total", "Times a publisher waited for a receiver.", statistics.stalls),
            Metric(
                .counter, "smq_broker_throttled_total", "Times a client exceeded its rate.", statistics.throttled),
            Metric(.counter, "smq_broker_sessions_total", "Sessions accepted.", statistics.accepted),
            Metric(
                .counter, "smq_broker_refused_total", "Connections refused at the limit.", statistics.refusedAtLimit),
            Metric(
                .counter, "smq_broker_asked_to_leave_total", "Clients asked to find another node.",
                statistics.askedToLeave),
            Metric(
                .counter, "smq_broker_refused_while_draining_total", "Connections refused while draining.",
                statistics.refusedWhileDraining),
            Metric(
                .counter, "smq_broker_closed_total", "Sessions ended, by reason.", label: "reason",
                closed.sorted { $0.label < $1.label }),
        ]
    }
}
