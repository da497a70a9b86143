import DeviceCore
import Metrics

/// The client's numbers for the metrics system that the program has chosen. Those of several clients add up.
///
/// One set for all clients of the process: their names say nothing of which client it is, and a set takes 3 KB.
struct SMQClientMeters: Sendable {
    /// Made with the first client, after which the metrics system cannot be chosen any more.
    static let shared = SMQClientMeters()

    let sessions = Counter(label: "smq_client_sessions_total")
    let attempts = Counter(label: "smq_client_attempts_total")
    let failedAttempts = Counter(label: "smq_client_failed_attempts_total")
    let moves = Counter(label: "smq_client_moves_total")
    let gap = Timer(label: "smq_client_gap")
    let outboxWaiting = Meter(label: "smq_outbox_waiting")
    let dropped = Dictionary(
        uniqueKeysWithValues: SMQDropReason.allCases.map {
            ($0, Counter(label: "smq_outbox_dropped_total", dimensions: [("reason", $0.rawValue)]))
        })
    let losses = Dictionary(
        uniqueKeysWithValues: SMQLossCause.allCases.map {
            ($0, Counter(label: "smq_client_losses_total", dimensions: [("cause", $0.rawValue)]))
        })
}

// Each number is counted in one place, for the status and for the metrics system.
extension SMQClient {
    func countAttempt() {
        status.withLock { $0.attempts += 1 }
        meters.attempts.increment()
    }

    func countFailedAttempt() {
        status.withLock { $0.failedAttempts += 1 }
        meters.failedAttempts.increment()
    }

    func countSession(_ node: String) {
        status.withLock { status in
            status.node = node
            status.sessions += 1
            if status.standby == node { status.standby = nil }
        }
        meters.sessions.increment()
    }

    func count(_ cause: SMQLossCause) {
        status.withLock { $0.losses[cause, default: 0] += 1 }
        meters.losses[cause]?.increment()
    }

    func count(_ move: SMQMove) {
        status.withLock { $0.add(move) }
        meters.moves.increment()
        meters.gap.recordNanoseconds(move.gap.wholeNanoseconds)
    }
}
