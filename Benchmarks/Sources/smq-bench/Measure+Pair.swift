/// The measurements, each against one broker, each bounded in time.
struct Measure {
    let target: Target
    /// Different for each run, so that no broker meets a topic twice.
    let topic: String

    /// The sequence number that ends a blast.
    private static let end = UInt64.max

    /// A subscriber of a fresh topic, and a publisher that knows its id.
    private func pair(payload: Int, frames: Int) throws -> (
        subscriber: Connection, publisher: Connection, batch: PublishBatch
    ) {
        let subscriber = try Connection(target.subscribers, number: 0, capacity: 256 << 10)
        _ = try subscriber.topic(Connection.Kind.subscribe, topic)
        let publisher = try Connection(target, number: 1)
        let id = try publisher.topic(Connection.Kind.create, topic)
        return (
            subscriber, publisher, PublishBatch(to: id, from: publisher.etid, payload: payload, count: frames)
        )
    }

    /// What a blast brings.
    struct Throughput {
        var messagesPerSecond: Double
        /// CPU time of the broker per message.
        var brokerMicroseconds: Double?
        /// CPU time of the subscriber's node per message, where it is another one.
        var otherMicroseconds: Double?
    }

    /// Publishes as fast as the broker takes it, for so long or so many, in writes of `batch` frames. Every message has
    /// to arrive, in order. The time runs from the first write to the last read.
    func blast(payload: Int, seconds: Double, messages: Int, batch: Int) throws -> Throughput {
        let (subscriber, publisher, frames) = try pair(payload: payload, frames: batch)
        let before = target.pid.flatMap(Machine.processorTime)
        let otherBefore = target.subscribers.pid.flatMap(Machine.processorTime)
        let begin = Clock.now
        let thread = try PlainThread {
            var sent = 0
            var writes = 0
            while sent < messages, writes & 63 != 0 || Clock.now - begin < UInt64(seconds * 1e9) {
                let count = min(batch, messages - sent)
                try publisher.send(frames.frames(count, from: UInt64(sent)))
                sent += count
                writes += 1
                if writes & 255 == 0 { try publisher.drain() }
            }
            // The last one says how many there were.
            try publisher.send(frames.frames(1, from: Self.end, time: UInt64(sent)))
        }
        var expected: UInt64 = 0
        var last = begin
        do {
            receiving: while true {
                try subscriber.fill(waits: true)
                while let frame = try subscriber.next() {
                    guard frame.kind == Connection.Kind.publish else { continue }
                    guard frame.bytes.count == frames.frameLength else {
                        throw BenchError("a frame has another length")
                    }
                    if frame.sequence == expected {
                        expected += 1
                    } else if frame.sequence == Self.end, frame.time == expected {
                        break receiving
                    } else {
                        throw BenchError("message \(frame.sequence) came where \(expected) was due")
                    }
                }
            }
            last = Clock.now
        } catch {
            publisher.shutDown()
            try? thread.join()
            throw BenchError("after \(expected) messages: \(error)")
        }
        try thread.join()
        let used = target.pid.flatMap(Machine.processorTime).flatMap { now in before.map { now - $0 } }
        let other = target.subscribers.pid.flatMap(Machine.processorTime).flatMap { now in otherBefore.map { now - $0 }
        }
        return Throughput(
            messagesPerSecond: Double(expected) / (Double(last - begin) / 1e9),
            brokerMicroseconds: used.map { $0 * 1e6 / Double(expected) },
            otherMicroseconds: target.isPair ? other.map { $0 * 1e6 / Double(expected) } : nil)
    }

    /// Microseconds from a write to the read of the same message, one message on the way at a time.
    func roundTrip(payload: Int, rounds: Int) throws -> Samples {
        let (subscriber, publisher, frames) = try pair(payload: payload, frames: 1)
        var samples = Samples(capacity: rounds)
        let warmUp = 200
        for round in 0..<(rounds + warmUp) {
            let begin = Clock.now
            try publisher.send(frames.frames(1, from: UInt64(round)))
            while true {
                let frame = try subscriber.receiveFrame()
                guard frame.kind == Connection.Kind.publish else { continue }
                guard frame.sequence == UInt64(round) else {
                    throw BenchError("message \(frame.sequence), not \(round)")
                }
                break
            }
            if round >= warmUp { samples.add(Double(Clock.now - begin) / 1e3) }
            if round & 255 == 0 { try publisher.drain() }
        }
        return samples
    }

    /// Microseconds from a write to the read at a fixed rate, the writer and the reader each a thread.
    func fixedRate(payload: Int, perSecond: Int, seconds: Double) throws -> Samples {
        let (subscriber, publisher, frames) = try pair(payload: payload, frames: 1)
        let count = Int(Double(perSecond) * seconds)
        let begin = Clock.now + 20_000_000
        let thread = try PlainThread {
            for index in 0..<count {
                Clock.sleep(until: begin + UInt64(index) * 1_000_000_000 / UInt64(perSecond))
                try publisher.send(frames.frames(1, from: UInt64(index), time: Clock.now))
                if index & 255 == 0 { try publisher.drain() }
            }
        }
        var samples = Samples(capacity: count)
        do {
            while samples.values.count < count {
                let frame = try subscriber.receiveFrame()
                if frame.kind == Connection.Kind.publish { samples.add(Double(Clock.now - frame.time) / 1e3) }
            }
        } catch {
            publisher.shutDown()
            try? thread.join()
            throw error
        }
        try thread.join()
        return samples
    }
}
