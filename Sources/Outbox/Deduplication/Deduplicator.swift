public import DeviceCore

/// What a ``Deduplicator`` says about a message.
public enum Verdict: String, Sendable, Hashable, CaseIterable {
    /// Not handled before: to be handled now, and then ``Deduplicator/complete(_:)`` or ``Deduplicator/withdraw(_:)``.
    case new
    /// Handled before: not to be handled, but to be acknowledged again, because the sender seems not to know.
    case duplicate
    /// Being handled now: neither to be handled nor acknowledged. If that fails, the sender will repeat it.
    case deferred
    /// Not handled before, but too much is being handled now (``DeduplicatorLimits/handling``): neither to be handled
    /// nor acknowledged. Who repeats it will find room; one that nobody repeats is lost.
    case refused
}

/// Tells, at the receiving side, which logged messages were handled before; also after a restart.
///
/// ## What is promised
/// - A message that was completed is never called new again while the program runs, and after a crash or power failure
///   neither once it was durable (``synchronize()``, or by itself within `commit.interval`). What was completed and not
///   yet durable may be called **new once more**: the only duplicate after a crash. That takes a sender, or a broker
///   that was frozen, that repeats the message.
/// - A message that was not completed is never called a duplicate, with one exception: it is at least 1024 numbers
///   (``DeduplicatorLimits/windowSize``) older than the newest completed one of its source and epoch. A sender must
///   keep what it has under way narrower than that, else messages are **lost** here (counted: `belowWindow`).
/// - Admitting alone writes nothing. A program that is killed while it handles a message gets it again as new.
/// - When more sources and epochs are heard of than remembered, the one heard of longest ago is forgotten and counted
///   (`evicted`); what it repeats is new.
///
/// An acknowledgement may be sent as soon as a message was completed. Waiting for durability first makes nothing safer:
/// a crash in between brings a repetition that the earlier acknowledgement would have spared.
public final class Deduplicator: Sendable {
    let core: DeduplicatorCore
    private let worker: WorkerThread

    /// Opens the memory in a directory, which is made where it is missing.
    ///
    /// Throws `.busy` with the pid of the process that has it, `.permission`, `.io`. Damaged entries are counted and
    /// forgotten.
    public static func open(
        directory: String, limits: DeduplicatorLimits = DeduplicatorLimits()
    ) async throws(DeviceError) -> Deduplicator {
        let core = DeduplicatorCore(limits: limits)
        return Deduplicator(core: core, worker: try await core.start(directory: directory))
    }

    private init(core: DeduplicatorCore, worker: WorkerThread) {
        self.core = core
        self.worker = worker
    }

    /// One that nobody holds any more closes itself, durably, soon.
    deinit { worker.stop() }

    /// What happened so far.
    public var counters: DeduplicatorCounters { core.counters }

    /// Why the disk does not take what is completed; nil while it does. In memory nothing is forgotten meanwhile.
    public var failure: DeviceError? { core.state.withLock { $0.failure } }

    /// Decides what to do with a message. Never waits.
    ///
    /// After ``Verdict/new`` its copies are deferred until ``complete(_:)`` or ``withdraw(_:)``.
    public func admit(_ id: MessageID) -> Verdict { core.admit(id) }

    /// Remembers that an admitted message was handled. Never waits; it becomes durable with others.
    public func complete(_ id: MessageID) { if core.complete(id) { worker.wake() } }

    /// Says that an admitted message was not handled: when it is repeated, it is new.
    public func withdraw(_ id: MessageID) { core.withdraw(id) }

    /// Waits until everything completed so far is on the disk. Throws what the disk said, `.closed`, `.limitExceeded`
    /// or `CancellationError`.
    public func synchronize() async throws {
        let goal = core.hurry()
        try await core.gate.wait(for: .durable(goal)) { worker.wake() }
    }

    /// Makes everything durable and gives the directory free. Throws the disk's error when that failed.
    ///
    /// Later messages are judged by memory only.
    public func close() async throws {
        worker.stop()
        try await core.gate.wait(for: .closed) {}
        if let failure { throw failure }
    }
}
