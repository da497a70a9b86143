import DeviceCore
import DeviceTransport

extension SMQDeliveryCounters {
    /// The outbox's numbers for `/metrics`.
    var outboxMetrics: [Metric] {
        func values(_ value: (Class) -> Double) -> [(label: String, value: Double)] {
            SMQPriority.allCases.map { ($0.rawValue, value(self[$0])) }
        }
        func metric(_ kind: Metric.Kind, _ name: String, _ help: String, _ value: (Class) -> Double) -> Metric {
            Metric(kind, "smq_outbox_" + name, help, label: "priority", values(value))
        }
        return [
            metric(.gauge, "waiting", "Messages that wait to be delivered.") { Double($0.waiting) },
            metric(.gauge, "bytes", "Bytes of the log on the disk.") { Double($0.bytes) },
            metric(.gauge, "oldest_seconds", "Age of the oldest message that waits.") {
                Double($0.oldestAge?.wholeNanoseconds ?? 0) / 1e9
            },
            metric(.counter, "published_total", "Messages taken into the log.") { Double($0.published) },
            metric(.counter, "sent_total", "Messages sent, repetitions included.") { Double($0.sent) },
            metric(.counter, "repeated_total", "Messages sent again.") { Double($0.repeated) },
            metric(.counter, "acknowledged_total", "Messages delivered.") { Double($0.acknowledged) },
            metric(.counter, "rejected_total", "Publishes refused.") { Double($0.rejected) },
            Metric(
                .counter, "smq_outbox_dropped_total", "Messages given up, by reason.", label: "reason",
                SMQDropReason.allCases.map { ($0.rawValue, Double(given(up: $0))) }),
        ]
    }

    /// The receiving side's numbers for `/metrics`.
    var receiverMetrics: [Metric] {
        [
            Metric(.counter, "smq_logged_received_total", "Logged messages handed to the program.", received),
            Metric(.counter, "smq_logged_duplicates_total", "Copies that were not handed on.", duplicates),
            Metric(.counter, "smq_logged_completed_total", "Logged messages completed.", completed),
            Metric(.counter, "smq_logged_withdrawn_total", "Logged messages let go without completion.", withdrawn),
        ]
    }
}
