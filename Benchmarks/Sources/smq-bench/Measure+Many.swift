import CEpoll
import Glibc

extension Measure {
    private func subscribers(_ count: Int) throws -> [Connection] {
        try Machine.allowConnections(count)
        return try (0..<count).map { number in
            do {
                let connection = try Connection(target, number: 100 + number, capacity: 2048)
                _ = try connection.topic(Connection.Kind.subscribe, topic)
                return connection
            } catch {
                throw BenchError("only \(number) of \(count) connections fit: \(error)")
            }
        }
    }

    /// Microseconds from the write of one publish to the first and to the last of many subscribers.
    struct FanOut {
        var first = Samples()
        var last = Samples()
    }

    /// One publish to many subscribers, 50 ms apart, each received by all exactly once.
    func fanOut(payload: Int, subscribers count: Int, publishes: Int) throws -> FanOut {
        let connections = try subscribers(count)
        let publisher = try Connection(target, number: 1)
        let id = try publisher.topic(Connection.Kind.create, topic)
        let frames = PublishBatch(to: id, from: publisher.etid, payload: payload, count: 1)
        let poll = epoll_create1(0)
        guard poll >= 0 else { throw BenchError.system("epoll") }
        defer { close(poll) }
        for (index, connection) in connections.enumerated() {
            var event = epoll_event()
            event.events = EPOLLIN.rawValue
            event.data.u64 = UInt64(index)
            guard epoll_ctl(poll, EPOLL_CTL_ADD, connection.descriptor, &event) == 0 else {
                throw BenchError.system("epoll")
            }
        }
        var result = FanOut()
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        let warmUp = 2
        for round in 0..<(publishes + warmUp) {
            Clock.sleep(seconds: 0.05)
            var received = 0
            var first: UInt64 = 0
            var last: UInt64 = 0
            let begin = Clock.now
            try publisher.send(frames.frames(1, from: UInt64(round)))
            while received < count {
                let ready = epoll_wait(poll, &events, CInt(events.count), CInt(Connection.patience * 1000))
                guard ready > 0 else {
                    throw BenchError("only \(received) of \(count) subscribers got publish \(round)")
                }
                for event in events[..<Int(ready)] {
                    let connection = connections[Int(event.data.u64)]
                    try connection.fill(waits: false)
                    last = Clock.now
                    if first == 0 { first = last }
                    while let frame = try connection.next() {
                        guard frame.kind == Connection.Kind.publish else { continue }
                        guard frame.sequence == UInt64(round) else {
                            throw BenchError("publish \(frame.sequence), not \(round)")
                        }
                        received += 1
                    }
                }
            }
            guard received == count else { throw BenchError("\(received) deliveries to \(count) subscribers") }
            guard round >= warmUp else { continue }
            result.first.add(Double(first - begin) / 1e3)
            result.last.add(Double(last - begin) / 1e3)
            try publisher.drain()
        }
        return result
    }

    /// Resident memory of the broker in kB.
    struct Memory {
        var idle: Double
        var connected: Double
        var closed: Double
        /// Seconds that the connections took, one after the other.
        var connectSeconds: Double
    }

    /// Memory before, with, and after many connections with one subscription each.
    func memory(connections count: Int) throws -> Memory? {
        guard let pid = target.pid, let idle = Machine.residentMemory(of: pid) else { return nil }
        let begin = Clock.now
        var connections = try subscribers(count)
        let seconds = Double(Clock.now - begin) / 1e9
        Clock.sleep(seconds: 1)
        guard let connected = Machine.residentMemory(of: pid) else { return nil }
        for connection in connections { try connection.drain() }
        connections = []
        Clock.sleep(seconds: 1)
        guard let closed = Machine.residentMemory(of: pid) else { return nil }
        return Memory(idle: idle, connected: connected, closed: closed, connectSeconds: seconds)
    }
}
