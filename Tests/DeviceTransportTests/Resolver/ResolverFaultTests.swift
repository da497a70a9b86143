import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// A DNS that is frozen, dead or late, while a client asks.
@Suite(.enabled(if: Dnsmasq.isInstalled, "needs dnsmasq (dnsmasq-base)"))
struct ResolverFaultTests {
    private let hosts = "10.0.0.1 broker.cluster.test\n10.0.0.2 broker.cluster.test\n"
    private let name = "broker.cluster.test"

    /// A resolver whose answer for the name is past its time.
    private func aged(_ server: Dnsmasq, _ change: (inout ResolverConfiguration) -> Void = { _ in }) async throws
        -> NameResolver
    {
        let resolver = try testResolver(server.server) {
            $0.limits.minimumTimeToLive = .zero
            $0.limits.deadline = .seconds(1)
            $0.timeout = .milliseconds(200)
            change(&$0)
        }
        _ = try await resolver.addresses(name)
        try await Task.sleep(for: .milliseconds(1100))
        return resolver
    }

    @Test func aFrozenServerLeavesTheLastGoodAnswer() async throws {
        let server = try await Dnsmasq(hosts: hosts)
        defer { server.end() }
        let resolver = try await aged(server)
        server.freeze()
        let (first, fresh) = try await within(.seconds(90), "the older answer") { [name] in
            (
                try await resolver.resolve(ResolverTarget(name, port: 1)),
                await resolver.failure("other.cluster.test")
            )
        }
        #expect(first.endpoints.count == 2 && first.isStale && first.age >= .seconds(1) && first.timeLeft == .zero)
        #expect(fresh?.code == .timedOut)
        try await eventually("why") { [name] in
            try await resolver.resolve(ResolverTarget(name, port: 1)).renewalError?.code == .timedOut
        }
        server.thaw()
        try await eventually("a new answer") { [name] in
            try await !resolver.resolve(ResolverTarget(name, port: 1)).isStale
        }
    }

    @Test func aKilledServerLeavesTheLastGoodAnswer() async throws {
        let server = try await Dnsmasq(hosts: hosts)
        let resolver = try await aged(server)
        server.end()
        try await eventually("the older answer with the reason") { [name] in
            let resolution = try await resolver.resolve(ResolverTarget(name, port: 1))
            return resolution.isStale && resolution.endpoints.count == 2
                && resolution.renewalError?.code == .unavailable
        }
        #expect(await resolver.failure("other.cluster.test")?.code == .unavailable)
        #expect(resolver.lastAnswer(for: ResolverTarget(name, port: 7))?.endpoints.first?.endpoint.port == 7)
        #expect(resolver.lastAnswer(for: ResolverTarget("other.cluster.test", port: 7)) == nil)
    }

    @Test func theSecondServerAnswersForTheFirst() async throws {
        let dead = try await Dnsmasq(hosts: hosts)
        let alive = try await Dnsmasq(hosts: hosts)
        defer {
            dead.end()
            alive.end()
        }
        dead.freeze()
        let resolver = try testResolver("\(dead.server),\(alive.server)") { $0.timeout = .milliseconds(200) }
        #expect(try await resolver.addresses(name).count == 2)
    }

    @Test func cancellingReturnsAtOnceAndLeavesTheOthers() async throws {
        let server = try await Dnsmasq(hosts: hosts)
        defer { server.end() }
        let resolver = try testResolver(server.server) { $0.limits.deadline = .seconds(600) }
        server.freeze()
        let impatient = (0..<50).map { _ in Task { [name] in await resolver.failure(name) } }
        let patient = Task { [name] in try await resolver.addresses(name) }
        try await eventually("the lookups") { resolver.counters.joined == 50 }
        for task in impatient { task.cancel() }
        let codes = try await within(.seconds(50), "the cancelled lookups") {
            var codes: [DeviceError.Code?] = []
            for task in impatient { codes.append(await task.value?.code) }
            return codes
        }
        #expect(codes.allSatisfy { $0 == .closed })
        server.thaw()
        #expect(try await within(.seconds(30), "the other lookup") { try await patient.value }.count == 2)
        let late = Task { [name] in
            withUnsafeCurrentTask { $0?.cancel() }
            return await resolver.failure(name)
        }
        #expect(await late.value?.code == .closed)
    }

    @Test func shuttingDownEndsWhatWaits() async throws {
        let server = try await Dnsmasq(hosts: hosts)
        defer { server.end() }
        server.freeze()
        let resolver = try testResolver(server.server) { $0.limits.deadline = .seconds(600) }
        let waiting = Task { [name] in await resolver.failure(name) }
        try await eventually("the question") { resolver.counters.questions == 2 }
        try await within(.seconds(90), "the end") { await resolver.shutDown() }
        #expect(await waiting.value?.code == .closed)
        // Without shutDown, the last reference ends the thread and the lookups.
        for _ in 0..<50 {
            let forgotten = try testResolver(server.server)
            let task = Task { [name] in await forgotten.failure(name) }
            task.cancel()
            _ = await task.value
        }
    }
}
