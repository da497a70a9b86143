public import DeviceCore
import NIOCore

/// Requests that somebody is asked about before they are done. Only the client waits that made one: what it sends
/// meanwhile is kept, in order, and its owner stops reading.
extension SMQBrokerStateMachine {
    /// A client's request that waits for an answer.
    struct PendingQuestion {
        var number: UInt32
        var deadline: MonotonicTime
        var request: Request
        /// Whether it is about the topic of a message, and the message comes after.
        var isAboutTopic: Bool
    }

    /// What a client wants to do.
    enum Request {
        case create(ByteBuffer)
        case subscribe(ByteBuffer)
        case createSubtopic(ByteBuffer)
        case observe(UInt32)
        /// A message, and whether its topic has been permitted already.
        case publish(Publish, hasTopic: Bool)
    }

    struct Publish {
        var destination: UInt32
        var subtopic: UInt32
        var payload: ByteBuffer
    }

    /// The answer to a question; one that comes too late changes nothing.
    public mutating func answer(_ id: PeerID, _ number: UInt32, _ isPermitted: Bool, now: MonotonicTime) {
        guard let slot = slot(of: id), peers[slot].phase == .open, let question = peers[slot].question,
            question.number == number
        else { return }
        peers[slot].question = nil
        // It could not be heard meanwhile.
        peers[slot].lastReceived = now
        peers[slot].pingSent = nil
        let before = chargedFrames
        conclude(slot, question, isPermitted)
        settle()
        while peers[slot].phase == .open, peers[slot].question == nil, let piece = peers[slot].heldInput?.popFirst() {
            peers[slot].heldInputBytes -= piece.readableBytes
            take(slot, piece)
            settle()
        }
        if peers[slot].heldInput?.isEmpty == true { peers[slot].heldInput = nil }
        limitRate(slot, frames: chargedFrames &- before, bytes: 0, now: now)
        if peers[slot].question == nil { actions.append(.answered(id)) }
    }

    /// Messages that nobody got since the last call; none unless ``asks`` has `.drops`.
    public mutating func takeDroppedMessages() -> [SMQPublishRequest] {
        guard !droppedMessages.isEmpty else { return [] }
        defer { droppedMessages = [] }
        return droppedMessages
    }

    // MARK: Asking

    /// Does what a client wants, or asks first.
    mutating func attempt(_ slot: Int, _ request: Request) {
        guard let question = question(slot, request) else { return perform(slot, request) }
        lastQuestion &+= 1
        statistics.asked += 1
        let isAboutTopic = if case .topic = question { true } else { false }
        peers[slot].question = PendingQuestion(
            number: lastQuestion, deadline: peers[slot].lastReceived + limits.question, request: request,
            isAboutTopic: isAboutTopic)
        actions.append(.ask(id(slot), lastQuestion, question))
    }

    mutating func publish(_ slot: Int, to destination: UInt32, subtopic: UInt32, payload: ByteBuffer) {
        attempt(
            slot,
            .publish(Publish(destination: destination, subtopic: subtopic, payload: payload), hasTopic: false))
    }

    /// Whether a publish cannot be routed as the bytes that it is.
    func isAsked(_ slot: Int, beforePublishingTo destination: UInt32) -> Bool {
        guard !peers[slot].isOwn else { return false }
        if asks.contains(.messages) { return true }
        guard asks.contains(.topics), let topic = topic(withListeners: destination) else { return false }
        return peers[slot].answers[topic] != true
    }

    private func topic(withListeners destination: UInt32) -> Int? {
        guard case .topic(let topic)? = destinations[destination], !topics[topic].isReserved,
            !topics[topic].subscribers.isEmpty || !topics[topic].remoteSubscribers.isEmpty
        else { return nil }
        return topic
    }

    /// What is to be asked; nil for what is done at once.
    private mutating func question(_ slot: Int, _ request: Request) -> SMQQuestion? {
        guard !asks.isEmpty, !peers[slot].isOwn else { return nil }
        switch request {
        case .create(let name):
            if let topic = topicsByName[name], peers[slot].answers[topic] == true { return nil }
            return question(slot, name, .create)
        case .subscribe(let name):
            if let topic = topicsByName[name], peers[slot].subscriptions.contains(topic) { return nil }
            return question(slot, name, .subscribe)
        case .createSubtopic(let name):
            if let subtopic = subtopicsByName[name], peers[slot].subtopics.contains(subtopic) { return nil }
            return question(slot, name, .createSubtopic)
        case .observe(let id):
            guard case .topic(let topic)? = destinations[id], !peers[slot].subscriptions.contains(topic),
                peers[slot].answers[topic] != true
            else { return nil }
            return question(slot, topics[topic].name, .subscribe)
        case .publish(let publish, let hasTopic):
            if !hasTopic, asks.contains(.topics), let topic = topic(withListeners: publish.destination) {
                // Referenced, so that the answer does not outlive the topic.
                switch peers[slot].answers[topic] {
                case nil where reference(topic, by: slot): return question(slot, topics[topic].name, .create)
                case true?: break
                default: return nil
                }
            }
            return asks.contains(.messages) ? .message(message(from: slot, publish)) : nil
        }
    }

    private func question(
        _ slot: Int, _ name: ByteBuffer, _ operation: SMQTopicRequest.Operation
    ) -> SMQQuestion? {
        guard asks.contains(operation == .createSubtopic ? .subtopics : .topics),
            name.readableBytes <= limits.topicNameLength
        else { return nil }
        return .topic(
            SMQTopicRequest(
                operation: operation, name: name.remainingText(), uid: peers[slot].uid ?? ByteBuffer(),
                address: peers[slot].address, etid: peers[slot].etid))
    }

    private func message(from slot: Int, _ publish: Publish) -> SMQPublishRequest {
        var topic: String?
        if case .topic(let index)? = destinations[publish.destination] { topic = topics[index].name.remainingText() }
        return SMQPublishRequest(
            publisher: peers[slot].etid, destination: publish.destination, topic: topic, subtopic: publish.subtopic,
            subtopicName: subtopicIDs[publish.subtopic].map { subtopics[$0].name.remainingText() },
            payload: publish.payload)
    }

    // MARK: Doing it

    /// Does what needs no question, or no further one.
    private mutating func perform(_ slot: Int, _ request: Request) {
        switch request {
        case .create(let name): create(slot, name)
        case .subscribe(let name): subscribe(slot, name)
        case .createSubtopic(let name): createSubtopic(slot, name)
        case .observe(let id): observe(slot, id)
        case .publish(let publish, let hasTopic):
            if !hasTopic, asks.contains(.topics), !peers[slot].isOwn,
                let topic = topic(withListeners: publish.destination), peers[slot].answers[topic] != true
            {
                return forbid()
            }
            routeOne(slot, to: publish.destination, subtopic: publish.subtopic, payload: publish.payload)
        }
    }

    private mutating func conclude(_ slot: Int, _ question: PendingQuestion, _ isPermitted: Bool) {
        switch question.request {
        case .create(let name):
            guard isPermitted else { return deny(slot, .createack, name) }
            create(slot, name)
            if let topic = topicsByName[name], peers[slot].topics.contains(topic) { peers[slot].answers[topic] = true }
        case .subscribe(let name):
            if isPermitted { subscribe(slot, name) } else { deny(slot, .suback, name) }
        case .createSubtopic(let name):
            if isPermitted { createSubtopic(slot, name) } else { deny(slot, .createsuback, name) }
        case .observe(let id):
            if isPermitted { observe(slot, id) } else { statistics.denied += 1 }
        case .publish(let publish, _):
            if question.isAboutTopic, case .topic(let topic)? = destinations[publish.destination] {
                peers[slot].answers[topic] = isPermitted
            }
            guard isPermitted else { return forbid() }
            if question.isAboutTopic { return attempt(slot, .publish(publish, hasTopic: true)) }
            routeOne(slot, to: publish.destination, subtopic: publish.subtopic, payload: publish.payload)
        }
    }

    private mutating func forbid() {
        statistics.messagesReceived += 1
        statistics.forbidden += 1
    }

    private mutating func deny(_ slot: Int, _ type: SMQMessageType, _ name: ByteBuffer) {
        statistics.denied += 1
        acknowledge(slot, type, nil, name)
    }

    // MARK: What comes meanwhile

    mutating func hold(_ slot: Int, _ bytes: ByteBuffer) {
        guard peers[slot].heldInputBytes + bytes.readableBytes <= limits.heldInputBytes else {
            return end(slot, .protocolViolation, text: "too much was sent before an answer")
        }
        if peers[slot].heldInput == nil { peers[slot].heldInput = CircularBuffer(initialCapacity: 1) }
        peers[slot].heldInput?.append(bytes)
        peers[slot].heldInputBytes += bytes.readableBytes
    }

    /// The rest of a piece: it comes before what is held already.
    mutating func holdFirst(_ slot: Int, _ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        if peers[slot].heldInput == nil { peers[slot].heldInput = CircularBuffer(initialCapacity: 1) }
        peers[slot].heldInput?.prepend(bytes)
        peers[slot].heldInputBytes += bytes.readableBytes
    }

    /// Frames that nobody gets, for who wants to know.
    mutating func noteDropped(_ slot: Int, _ frames: UnsafeRawBufferPointer) {
        guard peers[slot].phase == .open else { return }
        var position = 0
        // safe: the frames were found whole when the run was made, each at least a publish's header long.
        while position < frames.count {
            let length = Int(frames[position]) << 8 | Int(frames[position + 1])
            let frame = UnsafeRawBufferPointer(rebasing: frames[position..<position + length])
            position += length
            droppedMessages.append(
                message(
                    from: slot,
                    Publish(
                        destination: frame.bigEndianUInt32(at: 3), subtopic: frame.bigEndianUInt32(at: 11),
                        payload: ByteBuffer(bytes: frame[SMQSize.publishHeader...]))))
        }
    }
}
