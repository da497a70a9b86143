public import DeviceCore
import DeviceProtocols
public import NIOCore
public import Outbox

extension SMQClient {
    /// Publishes with a promise: `.live` as ``publish(_:to:subtopic:)`` does, `.latest` and `.log` with or without a
    /// session.
    ///
    /// A `.log` message has an ``Envelope`` of 24 bytes before its payload on the wire: its topic is one that receivers
    /// read with ``receiveLogged(from:subtopic:deduplicator:limit:)``.
    ///
    /// - Returns: what a `.log` message is known by, else nil. Once it is returned the message is taken; with
    ///   `isDurable` it is on the disk.
    /// - Throws: ``DeviceError``: `configuration` without an outbox; `invalidArgument` for a peer instead of a topic;
    ///   `limitExceeded` for a payload that is too long, and for `.log` when the outbox is full and its policy is to
    ///   reject; `busy`, `permission`, `io` when the outbox cannot be opened; what the disk said when its memory
    ///   is full too. With `isDurable`, `io` also when the disk does not take the message now: then the error's message
    ///   says that it is kept and will be sent. For `.live`, what ``publish(_:to:subtopic:)`` throws.
    @discardableResult
    public func publish(
        _ payload: ByteBuffer, to destination: SMQDestination, subtopic: String? = nil, delivery: SMQDelivery
    ) async throws(DeviceError) -> MessageID? {
        switch delivery {
        case .live:
            try await publish(payload, to: destination, subtopic: subtopic)
            return nil
        case .latest(let key):
            let topic = try Self.check(payload, destination, subtopic, envelope: 0)
            self.delivery.put(LatestMessage(topic: topic, subtopic: subtopic, payload: payload), for: key)
            needDelivery()
            return nil
        case .log(let level, let timeToLive, let priority, let isDurable):
            let topic = try Self.check(payload, destination, subtopic, envelope: Envelope.byteCount)
            let outbox = try await self.delivery.open()
            let log = outbox.logs[priority.index]  // safe: one log for each priority
            let published = outbox.now(priority.index)
            let record = LoggedRecord(
                topic: topic, subtopic: subtopic, level: level, published: published,
                payload: Array(payload.readableBytesView))
            let id: RecordID
            do { id = try await log.append(record.encoded, timeToLive: timeToLive) } catch {
                throw Self.deviceError(error, "the message was not taken")
            }
            self.delivery.stored(priority, published: published)
            let message = MessageID(source: outbox.sources[priority.index], record: id)
            guard isDurable else { return message }
            do { try await log.durable(id) } catch {
                let why = "the message \(message) is kept and will be sent, but is not on the disk yet"
                throw Self.deviceError(error, why)
            }
            return message
        }
    }

    /// Waits until every `.log` message that was published so far is on the disk.
    ///
    /// - Throws: what the disk said; the messages are kept and will be sent.
    public func synchronizeOutbox() async throws(DeviceError) {
        let outbox = try await delivery.open()
        for log in outbox.logs {
            do { try await log.sync() } catch { throw Self.deviceError(error, "messages are not on the disk yet") }
        }
    }

    /// What waits to be delivered, and what happened to what did not. At any time; made for metrics.
    public var deliveryCounters: SMQDeliveryCounters { delivery.counters }

    /// - Returns: the topic.
    private static func check(
        _ payload: ByteBuffer, _ destination: SMQDestination, _ subtopic: String?, envelope: Int
    ) throws(DeviceError) -> String {
        guard case .topic(let topic) = destination else {
            throw DeviceError(
                .invalidArgument, "a message to a peer cannot be kept: the peer's id means nothing in the next session",
                hint: "Publish to a topic, or live")
        }
        let longest = SMQSize.maximumFrame - SMQSize.minimumFrame
        guard !topic.isEmpty, topic.utf8.count <= longest, subtopic?.utf8.count ?? 0 <= longest else {
            throw DeviceError(
                .invalidArgument, "the name of a topic or sub-topic has to have 1 to \(longest) bytes")
        }
        guard payload.readableBytes <= SMQSize.maximumPayload - envelope else {
            throw DeviceError(
                .limitExceeded,
                "a payload of \(payload.readableBytes) bytes does not fit one message of at most \(SMQSize.maximumPayload - envelope)",
                hint: "Send it in parts")
        }
        return topic
    }

    private static func deviceError(_ error: any Error, _ what: String) -> DeviceError {
        guard let error = error as? DeviceError else {
            return DeviceError(.closed, "\(what): the task was cancelled")
        }
        return DeviceError(error.code, what, hint: error.hint, cause: DeviceError(error.code, error.message))
    }
}
