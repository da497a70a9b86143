import DeviceCore
public import NIOCore

extension SMQBrokerStateMachine {
    /// Copies a client's run into a link's queue, with the other node's ids.
    mutating func forward(
        _ frames: UnsafeRawBufferPointer, _ run: PublishRun, from publisher: Int, over index: Int, to id: UInt32
    ) {
        let receiver = links[index].slot
        guard links[index].isActive, peers[receiver].phase == .link else { return }
        peers[publisher].knownToLinks |= 1 << UInt64(index)
        let before = peers[receiver].output.readableBytes
        var rest = frames
        var isNamed = false
        while rest.count > 0 {
            let done = append(
                rest, count: run.count, from: peers[publisher].etid, over: index, to: id, isNamed: isNamed)
            rest = UnsafeRawBufferPointer(rebasing: rest[done...])
            guard rest.count > 0 else { break }
            name(rest.bigEndianUInt32(at: 11), over: index)
            isNamed = true
        }
        links[index].sent &+= UInt64(truncatingIfNeeded: run.count)
        linkStatistics.messagesSent &+= UInt64(truncatingIfNeeded: run.count)
        queued(receiver, peers[receiver].output.readableBytes - before)
        if peers[receiver].output.readableBytes > limits.stallThreshold { stall(publisher, for: receiver) }
    }

    /// Appends publishes up to one whose sub-topic has first to be named.
    ///
    /// - Parameter isNamed: the first one's was named just now; it goes with this node's id, but the name counts.
    /// - Returns: bytes of `frames` that are done.
    private mutating func append(
        _ frames: UnsafeRawBufferPointer, count: Int, from etid: UInt32, over index: Int, to id: UInt32, isNamed: Bool
    ) -> Int {
        var isNamed = isNamed
        let grow = SMQLinkFormat.publishHeader - SMQSize.publishHeader
        let channel = links[index].machine.smq.peer
        var translated: (own: UInt32, remote: UInt32) = (0, 0)
        var input = 0
        // Out of the table while it is written, which the sub-topics are looked up for.
        var queue = ByteBuffer()
        swap(&queue, &peers[links[index].slot].output)
        defer { swap(&queue, &peers[links[index].slot].output) }
        queue.writeWithUnsafeMutableBytes(minimumWritableBytes: frames.count + count * grow) { output in
            var position = 0
            // safe: the frames were found whole when the run was made, at most `count` of them, each becomes longer by
            // `grow`.
            while input < frames.count {
                let length = Int(frames[input]) << 8 | Int(frames[input + 1])
                let own = frames.bigEndianUInt32(at: input + 11)
                var remote = translated.remote
                if own != translated.own {
                    if isNamed {
                        remote = own
                    } else {
                        guard let known = remoteSubtopic(own, over: index) else { break }
                        translated = (own, known)
                        remote = known
                    }
                }
                isNamed = false
                let size = length + grow
                let head = UInt64(size) << 32 | UInt64(channel) << 16 | UInt64(SMQLinkMessageType.publish.rawValue) << 8
                output.storeBytes(of: head.bigEndian, toByteOffset: position, as: UInt64.self)
                output.storeBytes(of: id.bigEndian, toByteOffset: position + 7, as: UInt32.self)
                output.storeBytes(of: etid.bigEndian, toByteOffset: position + 11, as: UInt32.self)
                output.storeBytes(of: remote.bigEndian, toByteOffset: position + 15, as: UInt32.self)
                let payload = UnsafeRawBufferPointer(rebasing: frames[input + 15..<input + length])
                UnsafeMutableRawBufferPointer(rebasing: output[(position + 19)...]).copyMemory(from: payload)
                input += length
                position += size
            }
            return position
        }
        return input
    }

    /// The other node's id of a sub-topic; nil where it has to be asked by name.
    private func remoteSubtopic(_ own: UInt32, over index: Int) -> UInt32? {
        if own == 0 { return 0 }
        if let remote = links[index].remoteSubtopics[own] { return remote }
        // Nobody has named it here: it goes as it is.
        return subtopicIDs[own] == nil ? own : nil
    }

    /// Names the sub-topic of the frame that follows.
    private mutating func name(_ own: UInt32, over index: Int) {
        guard let known = subtopicIDs[own] else { return }
        peers[links[index].slot].output.writeSMQLinkSubtopic(
            channel: links[index].machine.smq.peer, name: subtopics[known].name)
    }

    /// Says something to the programs of all nodes.
    ///
    /// - Returns: how many nodes it goes to.
    @discardableResult
    public mutating func publishToServers(_ payload: ByteBuffer, subtopic: ByteBuffer?) -> Int {
        guard payload.readableBytes <= SMQSize.maximumPayload else { return 0 }
        let active = links.indices.filter { links[$0].isActive }
        for index in active {
            let channel = links[index].machine.smq.peer
            queue(to: links[index].slot) {
                if let subtopic { $0.writeSMQLinkSubtopic(channel: channel, name: subtopic) }
                $0.writeSMQLinkServerMessage(channel: channel, from: 1, subtopic: 0, payload: payload)
            }
            links[index].sent &+= 1
            linkStatistics.messagesSent &+= 1
        }
        settle()
        return active.count
    }
}
