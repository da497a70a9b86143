import DeviceCore
import NIOCore

/// Publishes that follow each other on a link and have the same publisher and destination.
private struct LinkRun {
    var destination: UInt32 = 0
    var publisher: UInt32 = 0
    var start = 0
    var end = 0
    var count = 0
    var longest = 0
}

extension SMQBrokerStateMachine {
    mutating func receiveOverLink(_ slot: Int, _ bytes: ByteBuffer, now: MonotonicTime) {
        linkStatistics.bytesReceived &+= UInt64(truncatingIfNeeded: bytes.readableBytes)
        do throws(SMQLinkError) {
            var rest = bytes
            try completePartialFrame(slot, &rest, now)
            if peers[slot].phase == .link {
                let consumed = try scanLink(slot, rest, now)
                rest.moveReaderIndex(forwardBy: consumed)
                if rest.readableBytes > 0, peers[slot].phase == .link {
                    _ = try frameLength(slot, rest)
                    peers[slot].partial = ByteBuffer(bytes: rest.readableBytesView)
                }
            }
        } catch {
            closeLink(slot, error == .wrongPassword ? .wrongPassword : .protocolViolation)
        }
        settle()
    }

    /// The length of the frame that the bytes begin with, as soon as it and its id are known.
    private func frameLength(_ slot: Int, _ bytes: ByteBuffer) throws(SMQLinkError) -> Int? {
        guard let length = bytes.getInteger(at: bytes.readerIndex, as: UInt32.self),
            let id = bytes.getInteger(at: bytes.readerIndex + 4, as: UInt16.self), peers[slot].link >= 0
        else { return nil }
        try links[peers[slot].link].machine.check(length: Int(length), id: id)
        return Int(length)
    }

    private mutating func completePartialFrame(
        _ slot: Int, _ bytes: inout ByteBuffer, _ now: MonotonicTime
    ) throws(SMQLinkError) {
        guard peers[slot].partial.readableBytes > 0 else { return }
        var partial = ByteBuffer()
        swap(&partial, &peers[slot].partial)
        while true {
            let length = try frameLength(slot, partial) ?? SMQLinkFormat.headerLength
            let needed = length - partial.readableBytes
            if needed <= 0, partial.readableBytes >= SMQLinkFormat.headerLength { break }
            guard bytes.readableBytes > 0, var piece = bytes.readSlice(length: min(needed, bytes.readableBytes)) else {
                peers[slot].partial = partial
                return
            }
            partial.writeBuffer(&piece)
        }
        _ = try scanLink(slot, partial, now)
    }

    /// Handles all whole frames of a piece of stream, in place; publishes in a row are delivered together.
    ///
    /// - Returns: the number of bytes handled; the rest is the beginning of a frame.
    private mutating func scanLink(
        _ slot: Int, _ bytes: ByteBuffer, _ now: MonotonicTime
    ) throws(SMQLinkError) -> Int {
        var position = 0
        var failure: SMQLinkError?
        bytes.withUnsafeReadableBytes { memory in
            do throws(SMQLinkError) {
                position = try scanLink(slot, bytes, memory, now)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return position
    }

    private mutating func scanLink(
        _ slot: Int, _ bytes: ByteBuffer, _ memory: UnsafeRawBufferPointer, _ now: MonotonicTime
    ) throws(SMQLinkError) -> Int {
        let index = peers[slot].link
        guard index >= 0 else { return memory.count }
        var position = 0
        var run = LinkRun()
        // safe: every read below is inside position ..< position + length, which is checked to be within memory.
        while memory.count - position >= SMQLinkFormat.headerLength {
            let length = Int(memory.bigEndianUInt32(at: position))
            let id = UInt16(memory[position + 4]) << 8 | UInt16(memory[position + 5])
            try links[index].machine.check(length: length, id: id)
            guard memory.count - position >= length else { break }
            if length >= SMQLinkFormat.publishHeader, memory[position + 6] == SMQLinkMessageType.publish.rawValue,
                links[index].isActive, id == links[index].machine.smq.own, links[index].pendingSubtopic == nil
            {
                let destination = memory.bigEndianUInt32(at: position + 7)
                let publisher = memory.bigEndianUInt32(at: position + 11)
                if run.count > 0, destination != run.destination || publisher != run.publisher {
                    deliver(index, &run, memory)
                    guard peers[slot].phase == .link else { return memory.count }
                }
                if run.count == 0 {
                    (run.destination, run.publisher, run.start, run.longest) = (destination, publisher, position, 0)
                }
                position += length
                run.end = position
                run.count += 1
                run.longest = max(run.longest, length)
                continue
            }
            deliver(index, &run, memory)
            guard peers[slot].phase == .link,
                let data = bytes.getSlice(
                    at: bytes.readerIndex + position + SMQLinkFormat.headerLength,
                    length: length - SMQLinkFormat.headerLength)
            else { return memory.count }
            position += length
            try handleFrame(index, id, data, now)
            settle()
            guard peers[slot].phase == .link else { return memory.count }
        }
        deliver(index, &run, memory)
        return position
    }

    private mutating func handleFrame(
        _ index: Int, _ id: UInt16, _ data: ByteBuffer, _ now: MonotonicTime
    ) throws(SMQLinkError) {
        let machine = links[index].machine
        if machine.phase == .open, links[index].isActive, id == machine.smq.own {
            return handle(index, try SMQLinkMessage(data, channel: id))
        }
        if machine.phase == .open, machine.node.peer != 0, id == machine.node.own {
            return receiveNodeMessage(index, try SMQNodeMessage(data, channel: id))
        }
        var output = ByteBuffer()
        let event = try links[index].machine.receive(id: id, data, now: now, into: &output)
        if output.readableBytes > 0 { queue(to: links[index].slot) { $0.writeImmutableBuffer(output) } }
        switch event {
        case .greeted: try proveOver(index)
        case .authenticated: openNodeChannel(index)
        case .opened(let channel): opened(channel, index, now: now)
        case .closed(.smq): closeLink(links[index].slot, .channelClosed)
        case .closed(.node), .nothing: break
        }
    }

    // MARK: Messages

    private mutating func handle(_ index: Int, _ message: SMQLinkMessage) {
        switch message {
        case .subscribe(let id, let name): subscribeRemote(index, id, name)
        case .unsubscribe(let id): unsubscribeRemote(index, id)
        case .release(let etid): release(index, etid)
        case .subtopic(let name): takeSubtopic(index, name)
        case .subtopicAck(let id, let name):
            guard let known = subtopicsByName[name] else { return }
            // Ids of names that had to make room stay behind; they are learnt again.
            if links[index].remoteSubtopics.count >= limits.topics { links[index].remoteSubtopics = [:] }
            links[index].remoteSubtopics[subtopics[known].id] = id
        case .publish(let destination, let publisher, let subtopic, let payload):
            let known = links[index].pendingSubtopic
            links[index].pendingSubtopic = nil
            var frame = ByteBuffer()
            frame.writeSMQLinkPublish(
                channel: 0, to: destination, from: publisher, subtopic: known ?? subtopic, payload: payload)
            frame.withUnsafeReadableBytes { memory in
                var run = LinkRun(
                    destination: destination, publisher: publisher, start: 0, end: memory.count, count: 1,
                    longest: memory.count)
                deliver(index, &run, memory)
            }
        case .serverMessage(let publisher, let subtopic, let payload):
            let known = links[index].pendingSubtopic ?? subtopic
            links[index].pendingSubtopic = nil
            links[index].received &+= 1
            linkStatistics.messagesReceived &+= 1
            let name = subtopicIDs[known].map { subtopics[$0].name } ?? ByteBuffer()
            // Own bytes: the slice would keep the whole read alive for as long as the program likes.
            let own = ByteBuffer(bytes: payload.readableBytesView)
            actions.append(
                .serverMessage(
                    SMQServerMessage(publisher: phantom(index, publisher), subtopic: name, payload: own)))
        case .unknown: break
        }
    }

    /// Hands a run to the clients here that want it, and empties it. It never goes to another node: no loops.
    private mutating func deliver(_ index: Int, _ run: inout LinkRun, _ memory: UnsafeRawBufferPointer) {
        guard run.count > 0 else { return }
        defer {
            run.count = 0
            settle()
        }
        let count = UInt64(truncatingIfNeeded: run.count)
        links[index].received &+= count
        linkStatistics.messagesReceived &+= count
        var single: [Int]?
        var topic: Int?
        switch destinations[run.destination] {
        case .peer(let receiver)?: single = [receiver]
        case .topic(let found)? where !topics[found].subscribers.isEmpty && !topics[found].isLocal: topic = found
        default:
            linkStatistics.unroutable &+= count
            return
        }
        // safe: start and end are positions of whole frames inside the memory.
        let frames = UnsafeRawBufferPointer(rebasing: memory[run.start..<run.end])
        let publisher = phantom(index, run.publisher)
        let receivers = single ?? topic.map { topics[$0].subscribers } ?? []
        let slot = links[index].slot
        var converted = PublishRun()
        converted.count = run.count
        converted.longest = run.longest - SMQLinkFormat.publishHeader + SMQSize.publishHeader
        if receivers.count == 1, let receiver = receivers.first, peers[receiver].framing == .raw,
            peers[receiver].maximumFrame == 0
        {
            guard peers[receiver].phase.isAlive else { return }
            let before = peers[receiver].output.readableBytes
            peers[receiver].output.writeSMQPublishes(
                ofLink: frames, count: run.count, to: run.destination, from: publisher)
            delivered(run.count, to: receiver, from: slot, before: before)
            return
        }
        var scratch = ByteBuffer()
        swap(&scratch, &self.scratch)
        scratch.clear()
        scratch.writeSMQPublishes(ofLink: frames, count: run.count, to: run.destination, from: publisher)
        scratch.withUnsafeReadableBytes { memory in
            for receiver in receivers { deliver(memory, converted, to: receiver, from: slot, shared: nil) }
        }
        // A large one is not worth its memory.
        if scratch.capacity <= 1 << 20 { self.scratch = scratch }
    }
}

extension ByteBuffer {
    /// Appends a link's publishes as clients get them.
    ///
    /// - Parameter frames: whole publish frames of a link, each of at most ``SMQLinkFormat/maximumFrame``.
    fileprivate mutating func writeSMQPublishes(
        ofLink frames: UnsafeRawBufferPointer, count: Int, to destination: UInt32, from publisher: UInt32
    ) {
        let shrink = SMQLinkFormat.publishHeader - SMQSize.publishHeader
        writeWithUnsafeMutableBytes(minimumWritableBytes: frames.count - count * shrink) { output in
            var input = 0
            var position = 0
            // safe: the frames were found whole when the run was made, and each becomes shorter by `shrink`.
            while input < frames.count {
                let length = Int(frames.bigEndianUInt32(at: input))
                let size = length - shrink
                let head = UInt32(truncatingIfNeeded: size) << 16 | UInt32(SMQMessageType.publish.rawValue) << 8
                output.storeBytes(of: head.bigEndian, toByteOffset: position, as: UInt32.self)
                output.storeBytes(of: destination.bigEndian, toByteOffset: position + 3, as: UInt32.self)
                output.storeBytes(of: publisher.bigEndian, toByteOffset: position + 7, as: UInt32.self)
                // Sub-topic and payload.
                let rest = UnsafeRawBufferPointer(rebasing: frames[input + 15..<input + length])
                UnsafeMutableRawBufferPointer(rebasing: output[(position + 11)...]).copyMemory(from: rest)
                input += length
                position += size
            }
            return position
        }
    }
}
