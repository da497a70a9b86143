import ClusterClient
import DeviceCore
import DeviceProtocols

/// What came of a run.
struct FleetSummary: Sendable {
    var devices: Int
    var scenario: FleetScenario
    var delivery: FleetDelivery
    var seed: UInt64
    var ramp: Duration
    var brokers: [String]
    var receivers: Int
    var isLinked: Bool
    var duration: Duration
    var totals: FleetLedger.Totals
    var connect: Histogram
    /// From the first arrival until every device had had a session; nil when one never had.
    var allConnected: Duration?
    var everConnected: UInt64
    /// Without a session at a change of it.
    var gap = Histogram()
    /// How long nothing had come from the old node when its end was noticed.
    var silence = Histogram()
    var latency: Histogram
    var command: Histogram
    var lag: Histogram
    var attempts: UInt64 = 0
    var failedAttempts: UInt64 = 0
    var moves: UInt64 = 0
    var losses: [SMQLossCause: UInt64] = [:]
    /// Devices with a session at the end.
    var connected = 0
    /// Those that were switched on and have none at the end.
    var absence: FleetAbsence
    /// Messages that wait in outboxes.
    var kept: UInt64 = 0
    /// Messages that outboxes gave up.
    var givenUp: UInt64 = 0
    /// Copies that receivers sorted out.
    var copiesRemoved: UInt64 = 0
    /// Resident memory before the devices, and when most were connected.
    var memoryBefore: Int
    var memoryConnected: Int
    var memoryDevices: Int
    /// What the devices' scripts did; nil without one.
    var scripts: FleetScripts.Figures?
    var reasons: [String]
    var samples: [FleetSample]

    /// Taken, not arrived, and not waiting in an outbox either.
    var lost: UInt64 {
        let missing = totals.accepted > totals.delivered ? totals.accepted - totals.delivered : 0
        return missing > kept ? missing - kept : 0
    }
    /// Share of a processor that the script of one device takes; nil without one.
    var scriptShare: Double? {
        guard let scripts, scripts.running > 0, duration > .zero else { return nil }
        return scripts.processorTime.seconds / duration.seconds / Double(scripts.running)
    }
    /// Bytes of resident memory for each connected device; nil without one.
    var memoryPerDevice: Int? {
        memoryDevices > 0 ? max(0, memoryConnected - memoryBefore) / memoryDevices : nil
    }

    init(
        options: FleetOptions, state: FleetLedger.State, clients: [SMQClient], samples: Samples, absence: FleetAbsence,
        baseline: Int,
        start: MonotonicTime, receivers: [FleetReceiver], isLinked: Bool, scripts: FleetScripts.Figures?
    ) {
        self.absence = absence
        self.scripts = scripts
        devices = options.devices
        scenario = options.plan.scenario
        delivery = options.delivery
        seed = options.plan.seed
        ramp = options.plan.ramp
        brokers = options.brokers.map(\.description)
        self.receivers = receivers.count
        self.isLinked = isLinked
        duration = FleetClock.now - start
        totals = state.totals
        connect = state.connect
        everConnected = state.connected
        if state.connected == UInt64(options.devices), let first = state.firstArrival {
            allConnected = state.lastFirstSession - first
        }
        latency = state.latency
        command = state.command
        lag = state.lag
        reasons = state.reasons
        memoryBefore = baseline
        memoryConnected = samples.peakConnected.memory
        memoryDevices = samples.peakConnected.devices
        self.samples = samples.all
        for client in clients {
            let status = client.currentStatus
            attempts += status.attempts
            failedAttempts += status.failedAttempts
            moves += status.moves
            if status.node != nil { connected += 1 }
            for (cause, count) in status.losses { losses[cause, default: 0] += count }
            for move in status.recentMoves {
                gap.add(move.gap)
                silence.add(move.silence)
            }
            guard options.delivery != .live else { continue }
            let counters = client.deliveryCounters.normal
            kept += counters.waiting
            givenUp += counters.expired + counters.dropped + counters.damaged + counters.denied
        }
        for receiver in receivers { copiesRemoved += receiver.copiesRemoved }
    }
}
