import DeviceCore

/// What independent receivers have seen of a device's numbered messages: how many, which are missing, and when.
///
/// Numbers begin at 1. Copies, which come when two nodes pass the same message on, count once.
struct HeartbeatLedger: Sendable {
    /// A missing number counts as lost when a higher one came so long ago.
    static let patience = Duration.seconds(5)
    /// The course of time is kept in steps of this.
    static let step = Duration.milliseconds(250)
    /// Steps that are kept: a minute.
    static let stepLimit = 240
    /// Missing numbers that are remembered; further ones are lost at once.
    static let missingLimit = 10_000

    /// Different messages received.
    private(set) var received: UInt64 = 0
    /// The highest number.
    private(set) var highest: UInt64 = 0
    /// Numbers below the highest that have not come, and when that was noticed.
    private var missing: [UInt64: MonotonicTime] = [:]
    private var forgotten: UInt64 = 0
    private let start: MonotonicTime
    /// Messages by step, newest last, then by node.
    private var steps: [[Int]] = []
    private var firstStep = 0
    private let nodes: Int

    init(nodes: Int, at start: MonotonicTime) {
        self.nodes = nodes
        self.start = start
    }

    /// A message that is no copy came by this node.
    mutating func receive(_ number: UInt64, node: Int, at now: MonotonicTime) {
        guard number > 0, (0..<nodes).contains(node) else { return }
        if number > highest {
            for skipped in (highest + 1)..<number {
                guard missing.count < Self.missingLimit else {
                    forgotten += number - skipped
                    break
                }
                missing[skipped] = now
            }
            highest = number
        } else if missing.removeValue(forKey: number) == nil {
            return
        }
        received += 1
        advance(to: now)
        // safe: advance made the last step, which has a place for each node
        if let last = steps.indices.last { steps[last][node] += 1 }
    }

    /// Numbers that did not come in time. One that comes later than that is not lost any more.
    func lost(at now: MonotonicTime) -> UInt64 {
        forgotten + UInt64(missing.values.count { now - $0 >= Self.patience })
    }

    /// Messages of each step of the last minute by node, oldest first; the last step is not over yet.
    mutating func course(at now: MonotonicTime) -> [[Int]] {
        advance(to: now)
        return steps
    }

    private mutating func advance(to now: MonotonicTime) {
        let current = Int((now - start).wholeNanoseconds / Self.step.wholeNanoseconds)
        guard current >= firstStep else { return }
        if current - firstStep - steps.count >= Self.stepLimit {
            steps = []
            firstStep = current
        }
        while firstStep + steps.count <= current { steps.append([Int](repeating: 0, count: nodes)) }
        let excess = steps.count - Self.stepLimit
        if excess > 0 {
            steps.removeFirst(excess)
            firstStep += excess
        }
    }
}
