import ClusterClient
import DeviceCore

/// What was promised and what arrived, of all devices: written by devices and receivers, read for the report.
final class FleetLedger: Sendable {
    /// Where a device can be reached now: through which receiver's connection, and by which id there.
    struct Address: Sendable {
        var receiver: Int
        var peer: SMQPeer
    }

    /// A command whose echo has not come.
    struct OpenCommand: Sendable {
        var led: UInt8
        var isOn: Bool
        var time: MonotonicTime
    }

    struct Totals: Hashable, Sendable {
        /// Devices that were switched on.
        var arrived: UInt64 = 0
        /// Sessions of devices; those beyond the first of each are moves and returns.
        var sessions: UInt64 = 0
        /// Messages that a client took: it made no error of them.
        var accepted: UInt64 = 0
        /// Messages that a client refused, because it had no session or no room.
        var refused: UInt64 = 0
        /// Different messages that came to a receiver.
        var delivered: UInt64 = 0
        /// Messages that came to the same receiver again, or where brokers are not linked to any.
        var duplicated: UInt64 = 0
        /// Messages too late to tell whether they came before.
        var unknown: UInt64 = 0
        /// Messages of others, or of another run, on the fleet's topics.
        var foreign: UInt64 = 0
        var commands: UInt64 = 0
        /// Commands that could not be sent: the controllers know no address of the device.
        var commandsRefused: UInt64 = 0
        var answered: UInt64 = 0
        /// Commands without an echo when the next one to the same device came, or at the end.
        var unanswered: UInt64 = 0
        var presses: UInt64 = 0
        /// Clients whose run ended by itself.
        var ended: UInt64 = 0
    }

    struct State: Sendable {
        var totals = Totals()
        var connect = Histogram()
        var latency = Histogram()
        var command = Histogram()
        /// How late the fleet itself was.
        var lag = Histogram()
        /// When the last device had its first session.
        var lastFirstSession = MonotonicTime.zero
        var firstArrival: MonotonicTime?
        var connected: UInt64 = 0
        /// Why clients ended, the first few.
        var reasons: [String] = []
        /// By device.
        var trackers: [SequenceTracker]
        /// By receiver and device, where brokers are linked and so each receiver gets everything.
        var perReceiver: [[SequenceTracker]] = []
        var addresses: [Address?]
        var commands: [OpenCommand?]
        /// Receivers that heard another's probe.
        var probes: Set<UInt32> = []
    }

    static let reasonLimit = 5
    let run: UInt32
    private let state: Locked<State>

    init(devices: Int, run: UInt32) {
        self.run = run
        state = Locked(
            State(
                trackers: Array(repeating: SequenceTracker(), count: devices),
                addresses: Array(repeating: nil, count: devices), commands: Array(repeating: nil, count: devices)))
    }

    func withLock<Result: Sendable>(_ body: @Sendable (inout State) -> Result) -> Result {
        state.withLock { body(&$0) }
    }

    var totals: Totals { state.withLock { $0.totals } }

    // MARK: What devices do

    func arrived(at time: MonotonicTime) {
        state.withLock { state in
            state.totals.arrived += 1
            if state.firstArrival == nil { state.firstArrival = time }
        }
    }

    /// - Parameter arrived: when the device was switched on, if this is its first session.
    func sessionBegan(arrived: MonotonicTime?, at now: MonotonicTime) {
        state.withLock { state in
            state.totals.sessions += 1
            guard let arrived else { return }
            state.connected += 1
            state.connect.add(now - arrived)
            state.lastFirstSession = max(state.lastFirstSession, now)
        }
    }

    func published(isAccepted: Bool) {
        state.withLock { state in
            if isAccepted { state.totals.accepted += 1 } else { state.totals.refused += 1 }
        }
    }

    func pressed() { state.withLock { $0.totals.presses += 1 } }

    func ended(_ error: DeviceError) {
        state.withLock { state in
            state.totals.ended += 1
            if state.reasons.count < Self.reasonLimit { state.reasons.append(error.description) }
        }
    }

    // MARK: What receivers hear

    /// Messages of one read, on a receiver's event loop.
    func received(_ messages: [(FleetMessage, SMQPeer)], by receiver: Int, foreign: Int, at now: MonotonicTime) {
        state.withLock { state in
            state.totals.foreign += UInt64(foreign)
            for (message, peer) in messages { state.receive(message, peer, receiver, run, now) }
        }
    }

    /// From now on each receiver is expected to get everything.
    func brokersAreLinked(receivers: Int) {
        state.withLock { state in
            let none = Array(repeating: SequenceTracker(), count: state.trackers.count)
            state.perReceiver = Array(repeating: none, count: receivers)
        }
    }

    // MARK: Commands

    /// A command is about to be sent: where to. Nil when no address is known.
    func command(_ device: Int, _ command: OpenCommand) -> Address? {
        state.withLock { state in
            guard state.addresses.indices.contains(device) else { return nil }
            guard let address = state.addresses[device] else {  // safe: checked above
                state.totals.commandsRefused += 1
                return nil
            }
            // safe: one place for each device
            if state.commands[device] != nil { state.totals.unanswered += 1 }
            state.commands[device] = command  // safe: as above
            state.totals.commands += 1
            return address
        }
    }

    func commandFailed(_ device: Int) {
        state.withLock { state in
            guard state.commands.indices.contains(device) else { return }
            guard state.commands[device] != nil else { return }  // safe: checked above
            state.commands[device] = nil  // safe: as above
            state.totals.commands -= 1
            state.totals.commandsRefused += 1
        }
    }

    /// At the end: what has no echo gets none.
    func close() {
        state.withLock { state in
            state.totals.unanswered += UInt64(state.commands.count { $0 != nil })
            state.commands = Array(repeating: nil, count: state.commands.count)
        }
    }
}

extension FleetLedger.State {
    fileprivate mutating func receive(
        _ message: FleetMessage, _ peer: SMQPeer, _ receiver: Int, _ run: UInt32, _ now: MonotonicTime
    ) {
        guard message.run == run else { return totals.foreign += 1 }
        if message.kind == .probe {
            if message.device != UInt32(receiver) { probes.insert(UInt32(receiver)) }
            return
        }
        let device = Int(message.device)
        guard trackers.indices.contains(device) else { return totals.foreign += 1 }
        if message.kind == .hello {
            addresses[device] = FleetLedger.Address(receiver: receiver, peer: peer)  // safe: checked above
            return
        }
        guard message.sequence > 0 else { return totals.foreign += 1 }
        let verdict = trackers[device].receive(message.sequence)  // safe: checked above
        var own = verdict
        if perReceiver.indices.contains(receiver) {
            own = perReceiver[receiver][device].receive(message.sequence)  // safe: checked, as many as trackers
        }
        switch own {
        case .new: break
        case .duplicate: totals.duplicated += 1
        case .unknown: totals.unknown += 1
        }
        guard verdict == .new else { return }
        totals.delivered += 1
        latency.add(now - message.time)
        // safe: one place for each device
        guard message.kind == .echo, let open = commands[device],
            open.led == UInt8(truncatingIfNeeded: message.value >> 8),
            open.isOn == (message.value & 1 == 1), message.time >= open.time
        else { return }
        commands[device] = nil  // safe: as above
        totals.answered += 1
        command.add(now - open.time)
    }
}
