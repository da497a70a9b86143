import DeviceProtocols
import DeviceTransport

extension SMQBroker.ClusterSnapshot {
    /// The cluster's numbers for `/metrics`.
    var metrics: [Metric] {
        let known = peers.filter { !$0.isOwn }.map { (label: $0.endpoint.description, value: $0.isUp ? 1.0 : 0) }
        // Two links of one name, for a moment, would be two lines of one series.
        let queued = Dictionary(links.map { ($0.name, Double($0.queuedBytes)) }, uniquingKeysWith: +)
        let closed = statistics.closed.map { (label: $0.key.rawValue, value: Double($0.value)) }
        return [
            Metric(
                .gauge, "smq_link_peer_up", "Whether there is a link to the node at an address.", label: "peer", known),
            Metric(.gauge, "smq_link_up", "Links that carry messages.", linksUp),
            Metric(
                .gauge, "smq_link_queued_bytes", "Bytes that wait for a node.", label: "node",
                queued.map { (label: $0.key.metricLabel, value: $0.value) }.sorted { $0.label < $1.label }),
            Metric(.gauge, "smq_link_phantoms", "Clients of other nodes that can be answered.", phantoms),
            Metric(
                .counter, "smq_link_messages_sent_total", "Publishes sent to other nodes.", statistics.messagesSent),
            Metric(
                .counter, "smq_link_messages_received_total", "Publishes that came from other nodes.",
                statistics.messagesReceived),
            Metric(
                .counter, "smq_link_unroutable_total", "Publishes of other nodes that nobody here listens to.",
                statistics.unroutable),
            Metric(.counter, "smq_link_received_bytes_total", "Bytes read from links.", statistics.bytesReceived),
            Metric(
                .counter, "smq_link_established_total", "Links that came to carry messages.", statistics.established),
            Metric(
                .counter, "smq_link_refused_total", "Connections refused at the limit on links.",
                statistics.refusedAtLimit),
            Metric(
                .counter, "smq_link_confirmed_total", "Subscriptions that all nodes confirmed in time.",
                statistics.confirmed),
            Metric(
                .counter, "smq_link_late_confirmations_total", "Subscriptions that not all nodes confirmed in time.",
                statistics.lateConfirmations),
            Metric(
                .counter, "smq_link_denied_total", "Names of other nodes that found no place.", statistics.denied),
            Metric(
                .counter, "smq_link_forgotten_phantoms_total", "Clients of other nodes forgotten to make room.",
                statistics.forgottenPhantoms),
            Metric(
                .counter, "smq_link_closed_total", "Links ended, by reason.", label: "reason",
                closed.sorted { $0.label < $1.label }),
        ]
    }
}

extension String {
    /// The text as a label's value: a node chooses its name itself.
    fileprivate var metricLabel: String { String(filter { $0 != "\"" && $0 != "\\" && !$0.isNewline }) }
}
