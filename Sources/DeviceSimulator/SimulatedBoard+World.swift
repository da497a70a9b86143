public import DeviceCore

/// The world outside the board: what a test or a terminal does to the pins, and what it sees there.
extension SimulatedBoard {
    /// Whether the level on a line's pin is high.
    public func isHigh(_ address: LineAddress) throws(DeviceError) -> Bool {
        try withLine(locate(address)) { $0.isHigh }
    }

    /// Puts a resistor to the supply or to ground on a line, as a board's own would be.
    public func pull(_ address: LineAddress, _ bias: Bias) throws(DeviceError) {
        try withLine(locate(address)) { $0.pull = bias }
    }

    /// Drives a line from outside, stronger than any resistor; nil stops driving it.
    public func drive(_ address: LineAddress, high: Bool?) throws(DeviceError) {
        try withLine(locate(address)) { $0.driven = high }
    }

    /// Presses a button on a line: its contact drives the level opposite to the one that the resistor gives.
    public func press(_ address: LineAddress) throws(DeviceError) {
        try withLine(locate(address)) { $0.driven = !$0.idlesHigh }
    }

    /// Lets a button go: only the resistor is left.
    public func release(_ address: LineAddress) throws(DeviceError) { try drive(address, high: nil) }

    /// Makes a line belong to somebody else, so that a request for it is refused; with nil it is free again.
    public func setBusy(_ address: LineAddress, consumer: String?) throws(DeviceError) {
        try withLine(locate(address)) { line in
            line.isUsed = consumer != nil
            line.consumer = consumer
        }
    }

    /// Refuses everything, as the kernel does to a user who may not open its devices.
    public func setPermissionDenied(_ denied: Bool) { state.withLock { $0.deniesPermission = denied } }

    /// The latest changes of levels, oldest first; at least the last 8192.
    public var changes: [LineChange] { state.withLock { $0.recorder.changes } }

    /// How many changes were not kept, or not passed to a slow follower.
    public var droppedChanges: UInt64 { state.withLock { $0.recorder.dropped } }

    /// Forgets the changes so far.
    public func clearChanges() { state.withLock { $0.recorder.clear() } }

    /// The changes from now on, for one reader; the oldest are dropped and counted when it is slow.
    public func followChanges() -> AsyncStream<LineChange> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: LineChange.self, bufferingPolicy: .bufferingNewest(1024))
        let id = state.withLock { state in
            state.recorder.nextFollower += 1
            state.recorder.followers[state.recorder.nextFollower] = continuation
            return state.recorder.nextFollower
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.recorder.followers.removeValue(forKey: id) }
        }
        return stream
    }

    /// The line at an address, also while the program may not open the chips.
    private func locate(_ address: LineAddress) throws(DeviceError) -> GPIOLine { try resolver.find(address) }
}
