public import DeviceCore
public import DeviceProtocols

/// Looks up the nodes behind a name, by c-ares and without blocking any thread but its own.
///
/// Answers keep their time to live (clamped), the last good one outlives a DNS that is down, and many who ask for one
/// name at the same time cost one lookup. (Not called Resolver, because NIOPosix has one.) ``ResolverStateMachine`` tells the rules; the first lookup starts the thread.
public final class NameResolver: Sendable {
    /// What it was made with.
    public let configuration: ResolverConfiguration
    private let core: ResolverCore

    /// A resolver; nothing is read or sent yet.
    ///
    /// - Throws: ``DeviceError`` `configuration` for times, ports or numbers of servers that make no sense.
    public init(_ configuration: ResolverConfiguration = ResolverConfiguration()) throws(DeviceError) {
        if let servers = configuration.servers {
            guard (1...16).contains(servers.count) else {
                throw DeviceError(.configuration, "there are \(servers.count) DNS servers; 1 to 16 can be used")
            }
            guard servers.allSatisfy({ (1...65535).contains($0.port) }) else {
                throw DeviceError(.configuration, "a DNS server's port is not within 1 to 65535")
            }
        }
        guard configuration.timeout > .zero, (1...10).contains(configuration.tries),
            (1...65535).contains(configuration.port)
        else {
            throw DeviceError(
                .configuration, "the DNS settings make no sense",
                hint: "The timeout must be above zero, tries within 1 to 10, the port within 1 to 65535")
        }
        self.configuration = configuration
        core = ResolverCore(configuration)
    }

    /// The process's own, which asks the system's servers. It is shared, so that a thousand clients of one name cost one
    /// thread and one question.
    public static let shared = NameResolver(checked: ResolverConfiguration())

    private init(checked configuration: ResolverConfiguration) {
        self.configuration = configuration
        core = ResolverCore(configuration)
    }

    /// Ends the thread, which needs a moment; lookups under way fail with `closed`.
    deinit { core.shutDown() }

    /// What has happened so far.
    public var counters: ResolverCounters { core.state.withLock { $0.machine.counters } }

    /// The nodes behind a name. An address in text is its own answer.
    ///
    /// - Parameter refresh: ask the DNS even within the answer's time to live (but not within the minimum). For the
    ///   cycle after a loss: the answer may have changed because of it.
    /// - Throws: ``DeviceError``: `notFound` (the DNS says that the name or its addresses do not exist), `timedOut`
    ///   (nobody answered), `refused`, `unavailable` (server failure, or none within reach), `protocolViolation`,
    ///   `invalidArgument` (no name), `limitExceeded`, `closed` (the task was cancelled, at once, or the resolver ended).
    public func resolve(_ target: ResolverTarget, refresh: Bool = false) async throws(DeviceError) -> Resolution {
        guard (0...65535).contains(target.port) else {
            throw DeviceError(.invalidArgument, "\(target.port) is no port", hint: "Ports are 0 to 65535")
        }
        if let address = IPAddress(target.name) { return literal(address, target) }
        let key = try Self.key(of: target)
        return resolution(try await core.resolve(key, refresh: refresh).get(), target)
    }

    /// The nodes behind several names and addresses together, each endpoint once.
    ///
    /// - Throws: the first name's error, and only when no name has an answer.
    public func resolve(_ targets: [ResolverTarget], refresh: Bool = false) async throws(DeviceError) -> [Resolution] {
        let results = await withTaskGroup(of: (Int, Result<Resolution, DeviceError>).self) { group in
            for (index, target) in targets.enumerated() {
                group.addTask {
                    do throws(DeviceError) {
                        return (index, .success(try await self.resolve(target, refresh: refresh)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var results: [(Int, Result<Resolution, DeviceError>)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
        var seen: Set<Endpoint> = []
        var resolutions: [Resolution] = []
        var failure: DeviceError?
        for result in results {
            switch result {
            case .success(var resolution):
                resolution.endpoints.removeAll { !seen.insert($0.endpoint).inserted }
                resolutions.append(resolution)
            case .failure(let error): failure = failure ?? error
            }
        }
        guard resolutions.isEmpty else { return resolutions }
        throw failure ?? DeviceError(.invalidArgument, "there is no name to look up")
    }

    /// The last good answer, of whatever age and without asking anybody; nil when there was none.
    ///
    /// Also what the DNS has since said not to exist: a device that lost its node had better try the old ones than none.
    public func lastAnswer(for target: ResolverTarget) -> Resolution? {
        if let address = IPAddress(target.name) { return literal(address, target) }
        guard let key = try? Self.key(of: target) else { return nil }
        return core.state.withLock { $0.machine.lastAnswer(for: key) }.map { answer in
            var answer = answer
            answer.isStale = core.now >= answer.expires
            return resolution(answer, target)
        }
    }

    /// Ends all lookups with `closed`, and returns when the thread has ended. Later lookups fail.
    public func shutDown() async {
        core.shutDown()
        await core.waitForEnd()
    }

    private static func key(of target: ResolverTarget) throws(DeviceError) -> ResolverKey {
        let name = try DNSName.checked(target.name)
        let service = try target.service.map { service throws(DeviceError) in try DNSName.checked(service) }
        if let service { _ = try DNSName.checked("\(service).\(name)") }
        return ResolverKey(name: name, service: service)
    }

    private func literal(_ address: IPAddress, _ target: ResolverTarget) -> Resolution {
        let forever = Duration.seconds(1 << 31)
        let endpoint = ResolvedEndpoint(
            Endpoint(address, port: target.port), timeToLive: forever, target: target.name)
        return Resolution(endpoints: [endpoint], source: .literal, age: .zero, timeLeft: forever, isStale: false)
    }

    private func resolution(_ answer: ResolverAnswer, _ target: ResolverTarget) -> Resolution {
        var random = SplitMix64()
        let now = core.now
        let endpoints = answer.entries.map { entry in
            ResolvedEndpoint(
                Endpoint(entry.address, port: entry.port ?? target.port), priority: entry.priority,
                weight: entry.weight, timeToLive: entry.timeToLive, target: entry.target)
        }
        return Resolution(
            endpoints: WeightedOrder.shuffled(endpoints, using: &random), source: answer.source,
            age: max(.zero, now - answer.received), timeLeft: max(.zero, answer.expires - now),
            isStale: answer.isStale, renewalError: answer.renewalError)
    }
}
