import DeviceCore
import NIOCore

/// Publishes that follow each other in a client's stream and have the same destination.
struct PublishRun {
    var destination: UInt32 = 0
    var start = 0
    var end = 0
    var count = 0
    var longest = 0

    @inline(__always)
    mutating func add(_ destination: UInt32, at position: Int, length: Int) {
        if count == 0 {
            self.destination = destination
            start = position
            longest = 0
        }
        end = position + length
        count += 1
        longest = max(longest, length)
    }
}

extension SMQBrokerStateMachine {
    /// Copies a run into the queues of its receivers, and empties it.
    mutating func route(_ slot: Int, _ run: inout PublishRun, _ memory: UnsafeRawBufferPointer) {
        defer { run.count = 0 }
        statistics.messagesReceived &+= UInt64(truncatingIfNeeded: run.count)
        // safe: start and end are positions of whole frames inside the memory.
        let frames = UnsafeRawBufferPointer(rebasing: memory[run.start..<run.end])
        switch destinations[run.destination] {
        case .peer(let receiver)?:
            deliver(frames, run, to: receiver, from: slot, shared: nil)
        case .phantom(let phantom)?:
            forward(frames, run, from: slot, over: phantoms[phantom].link, to: phantoms[phantom].remote)
        case .topic(let topic)?
        where !topics[topic].subscribers.isEmpty || !topics[topic].remoteSubscribers.isEmpty:
            guard mayPublish(slot, to: topic) else {
                statistics.forbidden &+= UInt64(truncatingIfNeeded: run.count)
                return
            }
            let subscribers = topics[topic].subscribers
            // With several receivers, those that have nothing waiting share one copy.
            let shared = subscribers.count > 2 ? ByteBuffer(bytes: frames) : nil
            for receiver in subscribers { deliver(frames, run, to: receiver, from: slot, shared: shared) }
            guard !topics[topic].remoteSubscribers.isEmpty else { return }
            for remote in topics[topic].remoteSubscribers {
                forward(frames, run, from: slot, over: remote.link, to: remote.id)
            }
        default:
            statistics.unroutable &+= UInt64(truncatingIfNeeded: run.count)
            if asks.contains(.drops) { noteDropped(slot, frames) }
        }
    }

    /// Routes one publish that is not in raw form: from a WebSocket, or put together from fragments.
    mutating func routeOne(_ slot: Int, to destination: UInt32, subtopic: UInt32, payload: ByteBuffer) {
        var frame = ByteBuffer()
        guard
            frame.writeSMQPublish(
                to: destination, from: peers[slot].etid, subtopic: subtopic, payload: payload)
        else { return }  // safe: not reached, both ways in limit the payload to less than a frame
        frame.withUnsafeReadableBytes { memory in
            var run = PublishRun()
            run.add(destination, at: 0, length: memory.count)
            route(slot, &run, memory)
        }
    }

    mutating func deliver(
        _ frames: UnsafeRawBufferPointer, _ run: PublishRun, to receiver: Int, from publisher: Int,
        shared: ByteBuffer?
    ) {
        guard peers[receiver].phase.isAlive else { return }
        let before = peers[receiver].output.readableBytes
        var delivered = run.count
        if peers[receiver].framing == .raw,
            peers[receiver].maximumFrame == 0 || run.longest <= peers[receiver].maximumFrame
        {
            if let shared, before == 0 {
                peers[receiver].output = shared
            } else {
                peers[receiver].output.writeBytes(frames)
            }
        } else {
            delivered = appendEach(frames, to: receiver)
        }
        self.delivered(delivered, to: receiver, from: publisher, before: before)
    }

    /// Accounts for what was appended to a receiver's queue.
    mutating func delivered(_ count: Int, to receiver: Int, from publisher: Int, before: Int) {
        statistics.messagesDelivered &+= UInt64(truncatingIfNeeded: count)
        let after = peers[receiver].output.readableBytes
        queued(receiver, after - before)
        if after > limits.stallThreshold { stall(publisher, for: receiver) }
    }

    /// Appends raw frames one by one, each in the receiver's framing and within its largest frame.
    private mutating func appendEach(_ frames: UnsafeRawBufferPointer, to receiver: Int) -> Int {
        let limit = peers[receiver].maximumFrame
        var position = 0
        var delivered = 0
        // safe: the frames were found whole when the run was made.
        while position < frames.count {
            let length = Int(frames[position]) << 8 | Int(frames[position + 1])
            let frame = UnsafeRawBufferPointer(rebasing: frames[position..<position + length])
            position += length
            guard limit == 0 || length <= limit else {
                statistics.tooLongForReceiver &+= 1
                continue
            }
            delivered += 1
            if peers[receiver].framing == .webSocket {
                _ = peers[receiver].output.writeSMQHead(.publish, bodyLength: length - 3, framing: .webSocket)
                peers[receiver].output.writeBytes(UnsafeRawBufferPointer(rebasing: frame[3...]))
            } else {
                peers[receiver].output.writeBytes(frame)
            }
        }
        return delivered
    }
}
