import DeviceCore
import DeviceProtocols
import DeviceTransport
import TestSupport
import Testing

/// A resolver that asks only these servers.
func testResolver(_ servers: String, _ change: (inout ResolverConfiguration) -> Void = { _ in }) throws -> NameResolver
{
    var configuration = try ResolverConfiguration(servers: servers)
    configuration.hostsFile = ""
    // A loaded machine is no error.
    configuration.limits.deadline = .seconds(20)
    configuration.timeout = .seconds(4)
    change(&configuration)
    return try NameResolver(configuration)
}

extension NameResolver {
    /// The addresses in text, sorted.
    func addresses(_ name: String, refresh: Bool = false) async throws -> [String] {
        try await resolve(ResolverTarget(name, port: 80), refresh: refresh).endpoints
            .map { "\($0.endpoint.address)" }.sorted()
    }

    /// The code that a lookup fails with; nil when it succeeds.
    func failure(_ name: String) async -> DeviceError? {
        do {
            _ = try await resolve(ResolverTarget(name, port: 80))
            return nil
        } catch {
            return error
        }
    }
}

/// What needs no server.
@Suite struct ResolverWithoutServerTests {
    @Test func addressesPassThrough() async throws {
        let resolver = try testResolver("127.0.0.1:1")
        for text in ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"] {
            let resolution = try await resolver.resolve(ResolverTarget(text, port: 8080))
            #expect(resolution.endpoints.map(\.endpoint) == [Endpoint(text, defaultPort: 8080)])
            #expect(resolution.source == .literal && !resolution.isStale && resolution.timeLeft > .seconds(1_000_000))
        }
        #expect(resolver.counters.questions == 0)
    }

    @Test func namesAndSettingsThatMakeNoSense() async throws {
        let resolver = try testResolver("127.0.0.1:1")
        for name in ["", "a b", "..", "bücher.example", String(repeating: "a", count: 300)] {
            #expect(await resolver.failure(name)?.code == .invalidArgument)
        }
        await #expect(throws: DeviceError.self) { try await resolver.resolve(ResolverTarget("a", port: 70_000)) }
        await #expect(throws: DeviceError.self) { try await resolver.resolve([]) }
        for servers in ["", "dns.example", "127.0.0.1:0", "127.0.0.1:99999"] {
            #expect(throws: DeviceError.self, "\(servers)") { try testResolver(servers) }
        }
        #expect(throws: DeviceError.self) { try testResolver("127.0.0.1") { $0.timeout = .zero } }
        #expect(throws: DeviceError.self) { try testResolver("127.0.0.1") { $0.tries = 1000 } }
    }

    @Test func theHostsFileIsReadFirst() async throws {
        let hosts = try TemporaryFile("10.1.2.3 broker.cluster.test\n::2 Broker.cluster.test b\n")
        let resolver = try testResolver("127.0.0.1:1") { $0.hostsFile = hosts.path }
        #expect(try await resolver.addresses("BROKER.cluster.test") == ["10.1.2.3", "::2"])
        #expect(try await resolver.resolve(ResolverTarget("b", port: 1)).source == .hosts)
        #expect(try await resolver.addresses("localhost") == ["127.0.0.1", "::1"])
        #expect(resolver.counters.questions == 0)
    }

    /// Without its file every name would seem not to exist.
    @Test func aHostsFileThatIsNotThereIsAnError() throws {
        let hosts = try TemporaryFile("")
        #expect(try ResolverConfiguration.hostsFile(setting: hosts.path) == hosts.path)
        for path in ["/nowhere/hosts", "/"] {
            let error = #expect(throws: DeviceError.self) { try ResolverConfiguration.hostsFile(setting: path) }
            #expect(error?.code == .invalidArgument && error?.message.contains("--hosts: cannot read \(path)") == true)
        }
    }

    @Test func nobodyListens() async throws {
        let resolver = try testResolver("127.0.0.1:\(try Dnsmasq.freePort())")
        let error = await resolver.failure("broker.cluster.test")
        #expect(error?.code == .unavailable)
        #expect(error?.hint?.contains("resolv.conf") == true)
    }

    @Test func theEndIsTheEnd() async throws {
        let resolver = try testResolver("127.0.0.1:\(try Dnsmasq.freePort())")
        _ = await resolver.failure("a.cluster.test")
        await resolver.shutDown()
        await resolver.shutDown()
        #expect(await resolver.failure("a.cluster.test")?.code == .closed)
        let unused = try testResolver("127.0.0.1:1")
        await unused.shutDown()
        #expect(await unused.failure("a.cluster.test")?.code == .closed)
    }
}

/// Against a real server.
@Suite(.enabled(if: Dnsmasq.isInstalled, "needs dnsmasq (dnsmasq-base)"))
struct ResolverTests {
    private let both = "10.0.0.1 broker.cluster.test\n10.0.0.2 broker.cluster.test\n2001:db8::1 broker.cluster.test\n"

    @Test func bothFamiliesWithTheirTime() async throws {
        let server = try await Dnsmasq(hosts: both)
        defer { server.end() }
        let resolver = try testResolver(server.server)
        let resolution = try await resolver.resolve(ResolverTarget("Broker.Cluster.TEST", port: 1883))
        #expect(
            Set(resolution.endpoints.map { "\($0.endpoint)" }) == [
                "10.0.0.1:1883", "10.0.0.2:1883", "[2001:db8::1]:1883",
            ])
        #expect(resolution.endpoints.allSatisfy { $0.timeToLive == .seconds(1) && $0.target == "broker.cluster.test" })
        #expect(resolution.source == .dns && !resolution.isStale)
        #expect(try await resolver.addresses("broker.cluster.test.").count == 3, "with a dot at its end")
    }

    @Test func servicesWithPriorityAndWeight() async throws {
        let server = try await Dnsmasq(
            hosts:
                "10.0.0.1 n1.cluster.test\n10.0.0.2 n2.cluster.test\n10.0.0.3 n3.cluster.test\n10.0.0.9 cluster.test\n",
            options: [
                "--srv-host=_smq._tcp.cluster.test,n1.cluster.test,81,0,10",
                "--srv-host=_smq._tcp.cluster.test,n2.cluster.test,82,0,30",
                "--srv-host=_smq._tcp.cluster.test,n3.cluster.test,83,5,0",
            ])
        defer { server.end() }
        let resolver = try testResolver(server.server) { $0.limits.minimumTimeToLive = .seconds(300) }
        var firsts: [Int: Int] = [:]
        for _ in 0..<1000 {
            let target = ResolverTarget("cluster.test", port: 80, service: "_smq._tcp")
            let endpoints = try await resolver.resolve(target).endpoints
            #expect(endpoints.map(\.priority) == [0, 0, 5])
            #expect(endpoints.last.map { "\($0.endpoint) \($0.target)" } == "10.0.0.3:83 n3.cluster.test")
            firsts[try #require(endpoints.first).endpoint.port, default: 0] += 1
        }
        #expect(abs((firsts[82] ?? 0) - 750) < 90, "\(firsts)")
        #expect(resolver.counters.questions == 7 && resolver.counters.hits == 999)
        // Without such records: the name's addresses with the given port.
        let plain = try await resolver.resolve(ResolverTarget("cluster.test", port: 80, service: "_mqtt._tcp"))
        #expect(plain.endpoints.map { "\($0.endpoint)" } == ["10.0.0.9:80"])
    }

    @Test func everyOrderIsAlikeWhateverTheServersIs() async throws {
        let server = try await Dnsmasq(hosts: (1...4).map { "10.0.0.\($0) broker.cluster.test\n" }.joined())
        defer { server.end() }
        let resolver = try testResolver(server.server) { $0.limits.minimumTimeToLive = .seconds(300) }
        var firsts: [Endpoint: Int] = [:]
        for _ in 0..<2000 {
            let resolution = try await resolver.resolve(ResolverTarget("broker.cluster.test", port: 1))
            firsts[try #require(resolution.endpoints.first).endpoint, default: 0] += 1
        }
        #expect(firsts.count == 4)
        for count in firsts.values { #expect(abs(count - 500) < 110, "\(firsts)") }
    }

    @Test func aChangeIsSeenWhenTheTimeHasPassed() async throws {
        let server = try await Dnsmasq(hosts: both)
        defer { server.end() }
        let resolver = try testResolver(server.server) {
            $0.limits.staleWait = .seconds(30)
            $0.limits.deadline = .seconds(30)
        }
        _ = try await resolver.addresses("broker.cluster.test")
        try server.set(hosts: "10.0.0.7 broker.cluster.test\n")
        try await eventually("the new answer") { try await resolver.addresses("broker.cluster.test") == ["10.0.0.7"] }
        #expect(resolver.counters.stale == 0)
    }

    @Test func aLongTimeToLiveIsCutShortByRefresh() async throws {
        let server = try await Dnsmasq(hosts: both, timeToLive: 3600)
        defer { server.end() }
        let resolver = try testResolver(server.server) { $0.limits.minimumTimeToLive = .zero }
        _ = try await resolver.addresses("broker.cluster.test")
        try server.set(hosts: "10.0.0.7 broker.cluster.test\n")
        try await eventually("the new answer") {
            try await resolver.addresses("broker.cluster.test", refresh: true) == ["10.0.0.7"]
        }
        #expect(try await resolver.resolve(ResolverTarget("broker.cluster.test", port: 1)).timeLeft <= .seconds(300))
    }

    @Test func failuresAreToldApart() async throws {
        let server = try await Dnsmasq(
            hosts: both + "::5 six.cluster.test\n", options: ["--txt-record=text.cluster.test,x"])
        defer { server.end() }
        let resolver = try testResolver(server.server)
        let absent = await resolver.failure("nobody.cluster.test")
        #expect(absent?.code == .notFound && absent?.message.contains("does not exist") == true)
        let empty = await resolver.failure("text.cluster.test")
        #expect(empty?.code == .notFound && empty?.message.contains("no address") == true)
        #expect(await resolver.failure("www.elsewhere.test")?.code == .refused)
        #expect(try await resolver.addresses("six.cluster.test") == ["::5"])
    }

    @Test func manyAtOnceCostOneLookupPerName() async throws {
        let hosts = (0..<20).map { "10.0.0.\($0) n\($0).cluster.test\n" }.joined()
        let server = try await Dnsmasq(hosts: hosts)
        defer { server.end() }
        let resolver = try testResolver(server.server) { $0.limits.minimumTimeToLive = .seconds(300) }
        try await within(.seconds(300), "a thousand lookups") {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<1000 {
                    group.addTask {
                        try await resolver.addresses("n\(index % 20).cluster.test") == ["10.0.0.\(index % 20)"]
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
        #expect(resolver.counters.questions == 40)
        let together = try await resolver.resolve([
            ResolverTarget("n1.cluster.test", port: 1), ResolverTarget("nobody.cluster.test", port: 1),
            ResolverTarget("10.0.0.1", port: 1), ResolverTarget("10.0.0.1", port: 2),
        ])
        #expect(together.flatMap(\.endpoints).map { "\($0.endpoint)" }.sorted() == ["10.0.0.1:1", "10.0.0.1:2"])
    }

    @Test func resolvConfIsReadAgainWhenItChanges() async throws {
        let server = try await Dnsmasq(hosts: both)
        defer { server.end() }
        // A network that came up after the program.
        let file = try TemporaryFile("# nothing yet\nnameserver 127.0.0.99\n")
        var configuration = ResolverConfiguration()
        configuration.resolvConf = file.path
        configuration.port = server.port
        configuration.hostsFile = ""
        let resolver = try NameResolver(configuration)
        let early = await resolver.failure("broker.cluster.test")
        #expect(early?.code == .unavailable || early?.code == .timedOut)
        try file.write("nameserver 127.0.0.1\nsearch cluster.test\n")
        try await eventually("the new server") { await resolver.failure("broker.cluster.test") == nil }
        #expect(try await resolver.addresses("broker").count == 3, "by the search domain")
    }
}
