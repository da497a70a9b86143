import DeviceCore
import DeviceProtocols
import Testing

/// A thousand clients lose their node at the same moment, in virtual time.
@Suite struct HerdTests {
    /// How a node that lives takes connections: so many handshakes a second, one after the other, and so many may wait;
    /// the rest is closed at once.
    struct Server {
        var perSecond: Int
        var places: Int
        var freeAt = MonotonicTime.zero
        var ends: [MonotonicTime] = []

        /// When the handshake will be done; nil when there is no place.
        mutating func accept(at now: MonotonicTime) -> MonotonicTime? {
            ends.removeAll { $0 <= now }
            guard ends.count < places else { return nil }
            freeAt = max(freeAt, now) + .nanoseconds(1_000_000_000 / perSecond)
            ends.append(freeAt)
            return freeAt
        }
    }

    struct Result {
        var times: [Duration] = []
        var failures = 0
        var attempts = 0
        var load: [Endpoint: Int] = [:]
        /// First attempts by 5 ms.
        var slots = [Int](repeating: 0, count: 20)
        func quantile(_ share: Double) -> Duration {
            let sorted = times.sorted()
            return sorted.isEmpty ? .zero : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }
    }

    enum Event {
        case tick(Int)
        case fail(Int, UInt64)
        case ready(Int, UInt64)
    }

    /// Runs until everybody is back.
    private func run(
        clients: Int, nodes: Int, server: Server, settings: AttemptSettings = AttemptSettings(), seed: UInt64
    ) -> Result {
        var result = Result()
        var servers: [Endpoint: Server] = [:]
        for index in 1..<nodes { servers[node(index)] = server }
        var benches = (0..<clients).map { AttemptBench.inSession(nodes: nodes, seed: seed &* 10_000 &+ UInt64($0)) }
        var choosers = (0..<clients).map { _ in
            var chooser = NodeChooser()
            chooser.update((0..<nodes).map { ResolvedEndpoint(node($0), target: "c") })
            return chooser
        }
        let start = benches[0].now
        var queue = Schedule<Event>()
        var ticks = [MonotonicTime](repeating: .distantFuture, count: clients)
        func settle(_ client: Int, _ now: MonotonicTime) {
            for action in benches[client].taken() {
                switch action {
                case .penalize(let endpoint, _): choosers[client].failed(endpoint, at: now)
                case .begin(let id, let endpoint):
                    result.attempts += 1
                    let slot = Int((now - start).wholeNanoseconds / 5_000_000)
                    if id == 2, slot < result.slots.count { result.slots[slot] += 1 }
                    if let end = servers[endpoint]?.accept(at: now + .microseconds(300)) {
                        benches[client].connected(id)
                        queue.add(.ready(client, id), at: end)
                    } else {
                        queue.add(.fail(client, id), at: now + .microseconds(600))
                    }
                case .adopt(_, let endpoint):
                    result.times.append(now - start)
                    result.load[endpoint, default: 0] += 1
                default: break
                }
            }
            let next = benches[client].scheduler.nextDeadline
            if next < ticks[client] || ticks[client] <= now {
                ticks[client] = next
                if next != .distantFuture { queue.add(.tick(client), at: next) }
            }
        }
        for client in 0..<clients {
            benches[client].fail(1)
            settle(client, start)
        }
        while result.times.count < clients, let (now, event) = queue.next(), now - start < .seconds(60) {
            switch event {
            case .tick(let client):
                benches[client].now = now
                ticks[client] = .distantFuture
                var random = benches[client].random
                benches[client].nodes =
                    choosers[client].candidates(avoiding: [node(0)], at: now, using: &random).endpoints
                benches[client].random = random
                benches[client].tick()
                settle(client, now)
            case .fail(let client, let id):
                benches[client].now = now
                result.failures += 1
                benches[client].fail(id)
                settle(client, now)
            case .ready(let client, let id):
                benches[client].now = now
                benches[client].ready(id)
                settle(client, now)
            }
        }
        return result
    }

    private func report(_ name: String, _ result: Result) {
        print(
            "herd, \(name): median \(result.quantile(0.5)), p99 \(result.quantile(0.99)), longest \(result.quantile(1)),",
            "failed attempts per client \(Double(result.failures) / Double(max(1, result.times.count)))")
    }

    /// A broker that takes 5000 a second: everybody is back in a quarter of a second, and nobody is refused.
    @Test(arguments: 1...3) func aThousandComeBackToOneNode(_ seed: Int) {
        let result = run(clients: 1000, nodes: 2, server: Server(perSecond: 5000, places: 4096), seed: UInt64(seed))
        report("5000/s", result)
        #expect(result.times.count == 1000)
        #expect(result.quantile(0.5) < .milliseconds(150))
        #expect(result.quantile(1) < .milliseconds(300))
        #expect(Double(result.failures) / 1000 < 0.5)
        // They arrive evenly over the jitter's 50 ms.
        for slot in result.slots.prefix(10) { #expect(slot > 60 && slot < 145, "\(result.slots)") }
    }

    /// A broker like the vendor's: 1000 a second, 50 places, the rest is closed at once. One second is the least that is
    /// possible. Immediate retries needed 7.8 s (median), 9.9 s, and 25 failures each.
    @Test(arguments: 1...3) func aThousandComeBackToASmallNode(_ seed: Int) {
        let result = run(clients: 1000, nodes: 2, server: Server(perSecond: 1000, places: 50), seed: UInt64(seed))
        report("1000/s and 50 places", result)
        #expect(result.times.count == 1000)
        #expect(result.quantile(0.5) < .milliseconds(800))
        #expect(result.quantile(1) < .seconds(5))
        #expect(Double(result.failures) / 1000 < 10)
    }

    @Test func theySpreadOverTheOtherNodes() {
        let result = run(clients: 3000, nodes: 4, server: Server(perSecond: 5000, places: 4096), seed: 9)
        report("3000 clients, three nodes of 5000/s", result)
        #expect(result.times.count == 3000)
        for index in 1...3 { #expect(abs((result.load[node(index)] ?? 0) - 1000) < 150, "\(result.load)") }
    }
}

/// Events in the order of their times.
struct Schedule<Event> {
    private var heap: [(time: MonotonicTime, number: Int, event: Event)] = []
    private var count = 0

    mutating func add(_ event: Event, at time: MonotonicTime) {
        count += 1
        heap.append((time, count, event))
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (MonotonicTime, Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.time, first.event) }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [parent * 2 + 1, parent * 2 + 2] where child < heap.count && isBefore(child, least) {
                least = child
            }
            guard least != parent else { return (first.time, first.event) }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].number) < (heap[right].time, heap[right].number)
    }
}
