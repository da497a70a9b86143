import DeviceCore
import DeviceProtocols
import Testing

@Suite struct EndpointTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1:53"), ("192.0.2.1:8053", "192.0.2.1:8053"), ("::1", "[::1]:53"),
        ("[2001:DB8::1]:80", "[2001:db8::1]:80"), ("[::1]", "[::1]:53"), ("fe80::1%eth0", "[fe80::1%eth0]:53"),
        ("[fe80::1%eth0]:80", "[fe80::1%eth0]:80"),
    ])
    func texts(_ text: String, _ expected: String) {
        #expect(Endpoint(text, defaultPort: 53)?.description == expected)
    }

    @Test(arguments: [
        "", "broker", "1.2.3", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536", "1.2.3.4:-1", "[1.2.3.4]:5", "::1]:5",
        "[::1]:",
        "[::1", "1.2.3.4%eth0", "fe80::1%", "::1:2:3:4:5:6:7:8:9", "1.2.3.4\u{0}", "[::1]:+5",
    ])
    func whatIsNoEndpoint(_ text: String) { #expect(Endpoint(text, defaultPort: 53) == nil) }

    @Test func lists() throws {
        let list = try Endpoint.list("127.0.0.1:15353, [::1]:53,::1", defaultPort: 53)
        #expect(list.map(\.description) == ["127.0.0.1:15353", "[::1]:53", "[::1]:53"])
        #expect(throws: DeviceError.self) { try Endpoint.list("127.0.0.1,broker", defaultPort: 53) }
    }
}

@Suite struct WeightedOrderTests {
    @Test func drawsInProportion() {
        var random = SeededRandom(seed: 1)
        var firsts = [0, 0, 0]
        for _ in 0..<6000 {
            let order = WeightedOrder.draw([1, 2, 3], using: &random)
            #expect(order.sorted() == [0, 1, 2])
            firsts[order[0]] += 1
        }
        for (count, expected) in zip(firsts, [1000, 2000, 3000]) { #expect(abs(count - expected) < 150) }
    }

    @Test(
        arguments: [
            [], [0], [-1, .nan, 0], [.infinity, 1], [.greatestFiniteMagnitude, .greatestFiniteMagnitude, 1],
            [1e-300, 0],
        ] as [[Double]])
    func survivesAnyWeight(_ weights: [Double]) {
        var random = SeededRandom(seed: 2)
        for _ in 0..<100 {
            #expect(WeightedOrder.draw(weights, using: &random).sorted() == Array(weights.indices))
        }
    }

    @Test func servicesByPriorityThenWeight() throws {
        let records = [(0, 10, 3), (1, 0, 1), (2, 0, 0), (3, 0, 9)].map { index, priority, weight in
            ResolvedEndpoint(node(index), priority: priority, weight: weight, target: "n\(index)")
        }
        var random = SeededRandom(seed: 3)
        var firsts: [Endpoint: Int] = [:]
        for _ in 0..<4000 {
            let order = WeightedOrder.shuffled(records, using: &random)
            #expect(order.last?.endpoint == node(0))
            firsts[try #require(order.first?.endpoint), default: 0] += 1
        }
        #expect(abs((firsts[node(3)] ?? 0) - 3564) < 120)
        #expect((firsts[node(2)] ?? 0) > 0, "a weight of 0 is rare, not never")
    }

    @Test func addressesWithoutWeightsAreAllAlike() throws {
        let records = (0..<4).map { ResolvedEndpoint(node($0), target: "c") }
        var random = SeededRandom(seed: 4)
        var firsts: [Endpoint: Int] = [:]
        for _ in 0..<4000 {
            let first = WeightedOrder.shuffled(records, using: &random).first
            firsts[try #require(first?.endpoint), default: 0] += 1
        }
        for count in firsts.values { #expect(abs(count - 1000) < 120) }
        #expect(firsts.count == 4)
    }
}

/// A node of a cluster in tests: 10.0.0.0, 10.0.0.1...
func node(_ index: Int) -> Endpoint {
    Endpoint(IPAddress("10.0.\(index / 256).\(index % 256)") ?? .loopback4, port: 80)
}
