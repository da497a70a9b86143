import DeviceCore
public import Outbox

/// A message of a topic of logged messages, to be completed once it was handled.
///
/// Who lets all copies of it go without a word has withdrawn it.
public struct SMQLoggedMessage: Sendable {
    /// The message, its payload without the envelope.
    public let message: SMQMessage
    /// What makes it different from every other; nil for a message that came without an envelope. Nothing is known of
    /// copies of that.
    public let id: MessageID?
    let completion: LoggedCompletion?

    /// The message was handled: no copy of it is handed on any more, and its sender hears of it where it asked for that.
    ///
    /// Never waits. What is not on the receiver's disk yet when power fails may come once more (``Deduplicator``).
    public func complete() { completion?.end(isCompleted: true) }

    /// The message was not handled: an `.endToEnd` one comes again, here or elsewhere.
    public func withdraw() { completion?.end(isCompleted: false) }
}

/// What is still to be said about a message: once.
final class LoggedCompletion: Sendable {
    private let id: MessageID
    /// Who wants to hear of it.
    private let acknowledgeTo: SMQPeer?
    private let receiver: LoggedReceiver
    private let isOver = Locked(false)

    init(_ id: MessageID, acknowledgeTo peer: SMQPeer?, receiver: LoggedReceiver) {
        self.id = id
        acknowledgeTo = peer
        self.receiver = receiver
    }

    deinit { end(isCompleted: false) }

    func end(isCompleted: Bool) {
        let isFirst = isOver.withLock { isOver in
            defer { isOver = true }
            return !isOver
        }
        if isFirst { receiver.end(id, isCompleted: isCompleted, acknowledgeTo: acknowledgeTo) }
    }
}
