public import DeviceCore
public import NIOCore

extension SMQBrokerStateMachine {
    /// Takes bytes that a client sent: on raw framing any piece of its stream, on WebSocket one whole message.
    ///
    /// What the protocol does not allow ends the session with a counted reason.
    public mutating func receive(_ id: PeerID, _ bytes: ByteBuffer, now: MonotonicTime) {
        guard let slot = slot(of: id), peers[slot].phase.isAlive else { return }
        peers[slot].lastReceived = now
        peers[slot].pingSent = nil
        statistics.bytesReceived &+= UInt64(truncatingIfNeeded: bytes.readableBytes)
        let before = chargedFrames
        guard peers[slot].phase != .link else { return receiveOverLink(slot, bytes, now: now) }
        if peers[slot].question == nil { take(slot, bytes) } else { hold(slot, bytes) }
        settle()
        limitRate(slot, frames: chargedFrames &- before, bytes: bytes.readableBytes, now: now)
    }

    mutating func take(_ slot: Int, _ bytes: ByteBuffer) {
        do {
            switch peers[slot].framing {
            case .raw: try receiveRaw(slot, bytes)
            case .webSocket: try receiveMessage(slot, bytes)
            }
        } catch {
            end(slot, .protocolViolation, text: "corrupt frame: \(error)")
        }
    }

    // MARK: Raw framing

    private mutating func receiveRaw(_ slot: Int, _ bytes: ByteBuffer) throws(SMQProtocolError) {
        guard peers[slot].phase != .authenticating else { return try keepEarly(slot, bytes) }
        var rest = bytes
        try completePartial(slot, &rest)
        // That frame may have been a connect that waits for the hook, or have ended the session.
        guard peers[slot].phase.isAlive else { return }
        if peers[slot].phase == .authenticating { return try keepEarly(slot, rest) }
        if peers[slot].question != nil { return holdFirst(slot, rest) }
        let consumed = try scan(slot, rest)
        rest.moveReaderIndex(forwardBy: consumed)
        guard rest.readableBytes > 0, peers[slot].phase.isAlive else { return }
        if peers[slot].question != nil { return holdFirst(slot, rest) }
        if peers[slot].phase == .authenticating { return try keepEarly(slot, rest) }
        try checkLength(of: rest)
        // Own storage: the rest is small and must not keep the read's buffer alive.
        peers[slot].partial = ByteBuffer(bytes: rest.readableBytesView)
    }

    /// Fills up the frame whose beginning an earlier read brought, and handles it.
    private mutating func completePartial(_ slot: Int, _ bytes: inout ByteBuffer) throws(SMQProtocolError) {
        guard peers[slot].partial.readableBytes > 0 else { return }
        var partial = ByteBuffer()
        swap(&partial, &peers[slot].partial)
        while !isWhole(partial) {
            let needed = try (checkLength(of: partial) ?? 2) - partial.readableBytes
            guard bytes.readableBytes > 0, var piece = bytes.readSlice(length: min(needed, bytes.readableBytes)) else {
                peers[slot].partial = partial
                return
            }
            partial.writeBuffer(&piece)
        }
        _ = try scan(slot, partial)
    }

    /// The length of the frame that the bytes begin with, as soon as it is known.
    @discardableResult
    private func checkLength(of bytes: ByteBuffer) throws(SMQProtocolError) -> Int? {
        guard let length = bytes.getInteger(at: bytes.readerIndex, as: UInt16.self).map(Int.init) else { return nil }
        guard length >= SMQSize.minimumFrame else { throw .badLength(length) }
        guard length <= limits.frameLength else { throw .tooLong(length, limit: limits.frameLength) }
        return length
    }

    private func isWhole(_ partial: ByteBuffer) -> Bool {
        guard let length = partial.getInteger(at: partial.readerIndex, as: UInt16.self).map(Int.init) else {
            return false
        }
        return length >= SMQSize.minimumFrame && partial.readableBytes >= length
    }

    /// Handles all whole frames of a piece of stream, in place.
    ///
    /// Publishes in a row to the same destination, from the right publisher, are routed together as the bytes that
    /// they are: a raw publish goes out exactly as it came in.
    ///
    /// - Returns: the number of bytes handled; the rest is the beginning of a frame.
    private mutating func scan(_ slot: Int, _ bytes: ByteBuffer) throws(SMQProtocolError) -> Int {
        var position = 0
        var failure: SMQProtocolError?
        bytes.withUnsafeReadableBytes { memory in
            var run = PublishRun()
            let etid = peers[slot].etid
            let count = memory.count
            // safe: every read below is inside position ..< position + length, which is checked to be within count.
            while count - position >= SMQSize.minimumFrame {
                let length = Int(memory[position]) << 8 | Int(memory[position + 1])
                guard length >= SMQSize.minimumFrame else {
                    failure = .badLength(length)
                    break
                }
                guard length <= limits.frameLength else {
                    failure = .tooLong(length, limit: limits.frameLength)
                    break
                }
                guard count - position >= length else { break }
                if memory[position + 2] == SMQMessageType.publish.rawValue, length >= SMQSize.publishHeader,
                    etid != 0, memory.bigEndianUInt32(at: position + 7) == etid
                {
                    let destination = memory.bigEndianUInt32(at: position + 3)
                    if run.count > 0, destination != run.destination {
                        route(slot, &run, memory)
                        settle()
                        // It may have been its own receiver, and have filled its queue.
                        guard peers[slot].phase == .open else { break }
                    }
                    if asks.isEmpty || run.count > 0 || !isAsked(slot, beforePublishingTo: destination) {
                        run.add(destination, at: position, length: length)
                        position += length
                        continue
                    }
                }
                if run.count > 0 {
                    route(slot, &run, memory)
                    settle()
                    guard peers[slot].phase == .open else { break }
                }
                guard let message = bytes.getSlice(at: bytes.readerIndex + position + 2, length: length - 2) else {
                    break  // safe: not reached, the frame was checked to be inside the buffer
                }
                position += length
                do throws(SMQProtocolError) {
                    try handle(slot, try SMQFrame(message: message))
                } catch {
                    failure = error
                    break
                }
                settle()
                // A connect may have to wait for the hook, a request for an answer, or the frame may have ended the session.
                guard peers[slot].phase == .open, peers[slot].question == nil else { break }
                if etid == 0 { break }
            }
            if run.count > 0 { route(slot, &run, memory) }
            settle()
        }
        if let failure { throw failure }
        // The session opened in the middle of this piece: go on with its ETID.
        if peers[slot].phase == .open, peers[slot].question == nil, position > 0, position < bytes.readableBytes,
            let rest = bytes.getSlice(
                at: bytes.readerIndex + position, length: bytes.readableBytes - position), isWhole(rest)
        {
            return position + (try scan(slot, rest))
        }
        return position
    }

    /// Holds what a client sends while the authenticate hook thinks; a well-behaved client sends nothing.
    private mutating func keepEarly(_ slot: Int, _ bytes: ByteBuffer) throws(SMQProtocolError) {
        let total = peers[slot].early.readableBytes + bytes.readableBytes
        guard total <= limits.frameLength else { throw .tooLong(total, limit: limits.frameLength) }
        peers[slot].early.writeImmutableBuffer(bytes)
    }

    // MARK: WebSocket framing

    private mutating func receiveMessage(_ slot: Int, _ message: ByteBuffer) throws(SMQProtocolError) {
        // An early message over WebSocket would need its boundary kept; no client sends one before its connack.
        guard peers[slot].phase != .authenticating else { throw .unexpected(.publish) }
        guard message.readableBytes + 2 <= limits.frameLength else {
            throw .tooLong(message.readableBytes, limit: limits.frameLength)
        }
        let frame = try SMQFrame(message: message)
        if case .fragment = frame { throw .unexpected(.pubfrag) }
        try handle(slot, frame)
    }

    // MARK: Frames

    private mutating func handle(_ slot: Int, _ frame: SMQFrame) throws(SMQProtocolError) {
        if case .connect(let version, let maximum, let uid, let credentials, let information) = frame {
            guard peers[slot].phase == .awaitingConnect else { throw .unexpected(.connect) }
            return connect(
                slot, version: version, maximumFrame: maximum, uid: uid, credentials: credentials,
                information: information)
        }
        guard peers[slot].phase == .open else {
            if case .disconnect = frame { return close(slot, .clientDisconnected) }
            throw .unexpected(frame.type)
        }
        switch frame {
        // A publish is counted where it is routed, a piece of one where it is kept.
        case .publish, .fragment, .pong, .disconnect: break
        default: requestsReceived &+= 1
        }
        switch frame {
        case .request(.create, let name): attempt(slot, .create(name))
        case .request(.subscribe, let name): attempt(slot, .subscribe(name))
        case .request(.createsub, let name): attempt(slot, .createSubtopic(name))
        case .reference(.unsubscribe, let id): unsubscribe(slot, id)
        case .reference(.observe, let id): attempt(slot, .observe(id))
        case .reference(.unobserve, let id): unobserve(slot, id)
        case .publish(let destination, let publisher, let subtopic, let payload):
            guard publisher == peers[slot].etid else { throw .wrongPublisher(publisher) }
            publish(slot, to: destination, subtopic: subtopic, payload: payload)
        case .fragment(let destination, let publisher, let subtopic, let payload):
            guard publisher == peers[slot].etid else { throw .wrongPublisher(publisher) }
            try fragment(slot, destination, subtopic, payload)
        case .ping: reply(slot) { [framing = peers[slot].framing] in $0.writeSMQ(.pong, framing: framing) }
        case .pong: break
        case .disconnect: close(slot, .clientDisconnected)
        default: throw .unexpected(frame.type)
        }
    }

    private mutating func fragment(
        _ slot: Int, _ destination: UInt32, _ subtopic: UInt32, _ payload: ByteBuffer
    ) throws(SMQProtocolError) {
        let total = peers[slot].fragments.readableBytes + payload.readableBytes
        let limit = min(SMQSize.maximumFragmentedPayload, limits.frameLength - SMQSize.publishHeader)
        guard total <= limit else { throw .fragmentsTooLong(total) }
        guard destination != 0 else {
            requestsReceived &+= 1
            peers[slot].fragments.writeImmutableBuffer(payload)
            queuedBytes += payload.readableBytes
            return limitMemory()
        }
        var whole = ByteBuffer()
        swap(&whole, &peers[slot].fragments)
        queuedBytes -= whole.readableBytes
        whole.writeImmutableBuffer(payload)
        publish(slot, to: destination, subtopic: subtopic, payload: whole)
    }

    // MARK: Rate

    /// What counts for a client's rate so far: messages, their pieces, and everything that it asks for.
    var chargedFrames: UInt64 { statistics.messagesReceived &+ requestsReceived }

    mutating func limitRate(_ slot: Int, frames: UInt64, bytes: Int, now: MonotonicTime) {
        guard limits.messagesPerSecond != nil || limits.bytesPerSecond != nil, peers[slot].phase.isAlive else { return }
        let elapsed = Double((now - peers[slot].rateTime).wholeNanoseconds) / 1e9
        peers[slot].rateTime = now
        var wait = 0.0
        func spend(_ credit: inout Double, _ used: Double, _ limit: Int?) {
            guard let limit = limit.map(Double.init), limit > 0 else { return }
            credit = peers[slot].hasRateCredit ? min(limit, credit + elapsed * limit) : limit
            credit -= used
            if credit < 0 { wait = max(wait, -credit / limit) }
        }
        var messageCredit = peers[slot].messageCredit
        var byteCredit = peers[slot].byteCredit
        spend(&messageCredit, Double(frames), limits.messagesPerSecond)
        spend(&byteCredit, Double(bytes), limits.bytesPerSecond)
        peers[slot].messageCredit = messageCredit
        peers[slot].byteCredit = byteCredit
        peers[slot].hasRateCredit = true
        if wait > 0 {
            statistics.throttled += 1
            let pause = Duration.seconds(min(wait, 60))
            peers[slot].pausedUntil = now + pause
            actions.append(.pause(id(slot), pause))
        }
    }
}

extension UnsafeRawBufferPointer {
    /// A big-endian integer. The caller has checked that the four bytes are inside.
    @inline(__always)
    func bigEndianUInt32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

extension SMQFrame {
    /// The frame's type.
    public var type: SMQMessageType {
        switch self {
        case .initialize: .initialize
        case .connect: .connect
        case .connack: .connack
        case .request(let type, _), .ack(let type, _, _, _), .reference(let type, _): type
        case .publish: .publish
        case .fragment: .pubfrag
        case .change: .change
        case .disconnect: .disconnect
        case .ping: .ping
        case .pong: .pong
        }
    }
}
