/// The life of one node's process in the demo, without the process: events in, actions out.
///
/// ```
/// stopped -start-> starting -ready-> running -freeze-> frozen -resume-> running
///    ^                 |  stop/exit     |                  |
///    +-----------------+----------------+------------------+--> stopped (asked for) or crashed (not)
/// ```
struct NodeStateMachine: Sendable {
    enum State: Hashable, Sendable {
        case stopped
        case starting
        case running
        case frozen
        /// It was told to end and has not yet.
        case stopping
        /// It ended by itself: exit status, or minus a signal's number.
        case crashed(Int32)
    }

    /// What a person asks for.
    enum Command: String, CaseIterable, Sendable {
        case start
        case stop
        case freeze
        case resume
    }

    enum Action: Hashable, Sendable {
        case spawn
        case kill
        case freeze
        case resume
    }

    private(set) var state = State.stopped
    /// Counts the processes, so that news of an earlier one is not taken for the present one's.
    private(set) var generation = 0

    /// Which commands make sense now.
    var commands: [Command] {
        switch state {
        case .stopped, .crashed: [.start]
        case .starting: [.stop]
        case .running: [.stop, .freeze]
        case .frozen: [.stop, .resume]
        case .stopping: []
        }
    }

    /// - Returns: what is to be done; nil when the command makes no sense now.
    mutating func receive(_ command: Command) -> Action? {
        guard commands.contains(command) else { return nil }
        switch command {
        case .start:
            state = .starting
            generation += 1
            return .spawn
        case .stop:
            state = .stopping
            return .kill
        case .freeze:
            state = .frozen
            return .freeze
        case .resume:
            state = .running
            return .resume
        }
    }

    /// The process serves.
    mutating func becameReady(_ generation: Int) {
        if generation == self.generation, state == .starting { state = .running }
    }

    /// The process has ended, or could not be started.
    mutating func ended(_ generation: Int, status: Int32) {
        guard generation == self.generation else { return }
        switch state {
        case .stopping: state = .stopped
        case .starting, .running, .frozen: state = .crashed(status)
        case .stopped, .crashed: break
        }
    }
}
