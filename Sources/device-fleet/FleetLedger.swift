import ClusterClient
import DeviceCore

/// What was promised and what arrived, of all devices: written by devices and receivers, read for the report.
final class FleetLedger: Sendable {
    /// Where a device can be reached: through which receiver's connection, and by which id there.
    struct Address: Hashable, Sendable {
        var receiver: Int
        var peer: SMQPeer
        /// When the device published what told it.
        var time: MonotonicTime
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
        /// By receiver and device, where there are several: if brokers are linked each receiver gets everything.
        var perReceiver: [[SequenceTracker]] = []
        /// What came again, or too late to tell: to the same receiver, and to any of them.
        var again = (same: Repeats(), any: Repeats())
        /// By device, one of each receiver at most.
        var addresses: [[Address]]
        /// By device: when its last session began. What came by an earlier one is no address any more.
        var sessions: [MonotonicTime]
        var commands: [OpenCommand?]
        /// A receiver has heard another's probe: brokers are linked, or were at some time of the run.
        var isLinked = false
    }

    struct Repeats: Sendable {
        var duplicated: UInt64 = 0
        var unknown: UInt64 = 0
    }

    static let reasonLimit = 5
    let run: UInt32
    private let state: Locked<State>

    init(devices: Int, run: UInt32) {
        self.run = run
        state = Locked(
            State(
                trackers: Array(repeating: SequenceTracker(), count: devices),
                addresses: Array(repeating: [], count: devices),
                sessions: Array(repeating: MonotonicTime(nanoseconds: .min), count: devices),
                commands: Array(repeating: nil, count: devices)))
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

    /// So many receivers there are. Whether their brokers are linked shows later, so what each gets is counted apart.
    func expect(receivers: Int) {
        guard receivers > 1 else { return }
        state.withLock { state in
            let none = Array(repeating: SequenceTracker(), count: state.trackers.count)
            state.perReceiver = Array(repeating: none, count: receivers)
        }
    }

    // MARK: Commands

    /// A command is about to be sent: where to, the addresses that are newest first. Empty when none is known, which
    /// counts as refused.
    func command(_ device: Int, _ command: OpenCommand) -> [Address] {
        state.withLock { state in
            guard state.addresses.indices.contains(device) else { return [] }
            let addresses = state.addresses[device]  // safe: checked above
                .filter { $0.time >= state.sessions[device] }  // safe: one place for each device
            guard !addresses.isEmpty else {
                state.totals.commandsRefused += 1
                return []
            }
            // safe: one place for each device
            if state.commands[device] != nil { state.totals.unanswered += 1 }
            state.commands[device] = command  // safe: as above
            state.totals.commands += 1
            return addresses.sorted { $0.time > $1.time }
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
            guard message.device != UInt32(receiver), !isLinked else { return }
            isLinked = true
            countRepeats()
            return
        }
        let device = Int(message.device)
        guard trackers.indices.contains(device) else { return totals.foreign += 1 }
        if message.kind == .hello {
            sessions[device] = max(sessions[device], message.time)  // safe: checked above
            return learn(FleetLedger.Address(receiver: receiver, peer: peer, time: message.time), of: device)
        }
        guard message.sequence > 0 else { return totals.foreign += 1 }
        // Whoever missed the hello, because it or a link was not there, learns it from anything that comes later.
        learn(FleetLedger.Address(receiver: receiver, peer: peer, time: message.time), of: device)
        let verdict = trackers[device].receive(message.sequence)  // safe: checked above
        var own = verdict
        if perReceiver.indices.contains(receiver) {
            own = perReceiver[receiver][device].receive(message.sequence)  // safe: checked, as many as trackers
        }
        again.same.add(own)
        again.any.add(verdict)
        countRepeats()
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

    /// Where brokers are linked a copy at each receiver is as it should be.
    private mutating func countRepeats() {
        let counted = isLinked ? again.same : again.any
        totals.duplicated = counted.duplicated
        totals.unknown = counted.unknown
    }

    private mutating func learn(_ address: FleetLedger.Address, of device: Int) {
        // safe: the caller has checked the device
        guard let index = addresses[device].firstIndex(where: { $0.receiver == address.receiver }) else {
            return addresses[device].append(address)  // safe: as above
        }
        // What was kept and sent again is older than the session that it comes by.
        guard addresses[device][index].time <= address.time else { return }  // safe: as above
        addresses[device][index] = address  // safe: as above
    }
}

extension FleetLedger.Repeats {
    fileprivate mutating func add(_ verdict: SequenceTracker.Verdict) {
        switch verdict {
        case .new: break
        case .duplicate: duplicated += 1
        case .unknown: unknown += 1
        }
    }
}
