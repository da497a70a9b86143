import DeviceCore
import Metrics

/// The client's numbers for the metrics system that the program has chosen. Those of several clients add up.
///
/// One set for all clients of the process: their names say nothing of which client it is, and a set takes 3 KB.
final class SMQClientMeters: Sendable {
    /// Made with the first client, after which the metrics system cannot be chosen any more.
    static let shared = SMQClientMeters()

    let sessions: Counter
    let attempts: Counter
    let failedAttempts: Counter
    let moves: Counter
    let gap: Timer
    /// Clients with a session.
    let connected: Meter
    let outboxWaiting: Meter
    let dropped: [SMQDropReason: Counter]
    let losses: [SMQLossCause: Counter]
    private let factory: any MetricsFactory
    /// How many are connected to which node.
    private let nodes = Locked<[String: (meter: Meter, clients: Int)]>([:])
    /// Nodes that get a number of their own; clients at others count in `smq_client_connected` only.
    static let nodeLimit = 64

    init(factory: any MetricsFactory = MetricsSystem.factory) {
        self.factory = factory
        sessions = Counter(label: "smq_client_sessions_total", factory: factory)
        attempts = Counter(label: "smq_client_attempts_total", factory: factory)
        failedAttempts = Counter(label: "smq_client_failed_attempts_total", factory: factory)
        moves = Counter(label: "smq_client_moves_total", factory: factory)
        gap = Timer(label: "smq_client_gap", factory: factory)
        connected = Meter(label: "smq_client_connected", factory: factory)
        outboxWaiting = Meter(label: "smq_outbox_waiting", factory: factory)
        dropped = Dictionary(
            uniqueKeysWithValues: SMQDropReason.allCases.map {
                let reason = [("reason", $0.rawValue)]
                return ($0, Counter(label: "smq_outbox_dropped_total", dimensions: reason, factory: factory))
            })
        losses = Dictionary(
            uniqueKeysWithValues: SMQLossCause.allCases.map {
                let cause = [("cause", $0.rawValue)]
                return ($0, Counter(label: "smq_client_losses_total", dimensions: cause, factory: factory))
            })
    }
}

extension SMQClientMeters {
    /// A client went from one node to another; nil for none.
    func moved(from old: String?, to new: String?) {
        guard old != new else { return }
        if old == nil { connected.increment() }
        if new == nil { connected.decrement() }
        nodes.withLock { nodes in
            if let old, var node = nodes[old] {
                node.clients -= 1
                node.meter.set(node.clients)
                // The number stays known as 0 until the place is needed.
                nodes[old] = node
            }
            guard let new else { return }
            if nodes[new] == nil, nodes.count >= Self.nodeLimit,
                let free = nodes.first(where: { $0.value.clients <= 0 })
            {
                free.value.meter.destroy()
                nodes[free.key] = nil
            }
            guard nodes[new] != nil || nodes.count < Self.nodeLimit else { return }
            var node =
                nodes[new] ?? (
                    Meter(label: "smq_client_node_sessions", dimensions: [("node", new)], factory: factory), 0
                )
            node.clients += 1
            node.meter.set(node.clients)
            nodes[new] = node
        }
    }
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
        setNode(node)
        status.withLock { status in
            status.sessions += 1
            if status.standby == node { status.standby = nil }
        }
        meters.sessions.increment()
    }

    func setNode(_ node: String?) {
        let old = status.withLock { status in
            defer { status.node = node }
            return status.node
        }
        meters.moved(from: old, to: node)
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
