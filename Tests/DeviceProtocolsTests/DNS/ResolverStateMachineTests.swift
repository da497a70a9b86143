import DeviceCore
import DeviceProtocols
import Testing

/// A resolver's machine with its own time; hosts files are empty unless given.
private struct Bench {
    var machine: ResolverStateMachine
    var now = MonotonicTime.zero + .seconds(1000)
    var hosts: [String: [IPAddress]] = [:]
    var questions: [(id: UInt64, name: String, type: DNSRecordType)] = []
    var results: [UInt64: Result<ResolverAnswer, DeviceError>] = [:]
    var lastWaiter: UInt64 = 0

    init(_ limits: ResolverLimits = ResolverLimits()) { machine = ResolverStateMachine(limits: limits) }

    mutating func take(_ actions: [ResolverAction]) {
        for action in actions {
            switch action {
            case .readHosts(let flight, let name):
                take(machine.hosts(flight: flight, addresses: hosts[name] ?? [], at: now))
            case .ask(let question, let name, let type, _): questions.append((question, name, type))
            case .finish(let waiter, let result):
                #expect(results[waiter] == nil, "finished twice")
                results[waiter] = result
            }
        }
    }

    @discardableResult mutating func resolve(_ name: String, service: String? = nil, refresh: Bool = false) -> UInt64 {
        lastWaiter += 1
        let key = ResolverKey(name: name, service: service)
        take(machine.resolve(waiter: lastWaiter, key: key, refresh: refresh, at: now))
        return lastWaiter
    }

    mutating func answer(_ type: DNSRecordType, name: String? = nil, _ addresses: [String], ttl: UInt32 = 60) {
        let records = addresses.compactMap { IPAddress($0) }.map { DNSRecord(value: .address($0), timeToLive: ttl) }
        reply(type, name: name, .success(DNSAnswer(records: records)))
    }

    mutating func reply(
        _ type: DNSRecordType, name: String? = nil, _ result: Result<DNSAnswer, DNSFailure>, negative: UInt32? = nil
    ) {
        guard let index = questions.firstIndex(where: { $0.type == type && (name == nil || $0.name == name) }) else {
            #expect(Bool(false), "nobody asked for \(type)")
            return
        }
        let id = questions.remove(at: index).id
        take(machine.answered(question: id, result, negativeTimeToLive: negative, at: now))
    }

    mutating func pass(_ time: Duration) {
        let end = now + time
        while machine.nextDeadline <= end {
            now = max(now, machine.nextDeadline)
            take(machine.tick(at: now))
        }
        now = end
    }

    func addresses(_ waiter: UInt64) -> [String]? {
        (try? results[waiter]?.get())?.entries.map(\.address.description).sorted()
    }

    func result(_ waiter: UInt64) throws -> ResolverAnswer {
        guard let result = results[waiter] else { throw DeviceError(.timedOut, "no result yet") }
        return try result.get()
    }

    /// Looks up and has the result at once.
    mutating func codeNow(_ name: String) -> DeviceError.Code? {
        let waiter = resolve(name)
        return code(waiter)
    }

    mutating func addressesNow(_ name: String) -> [String]? {
        let waiter = resolve(name)
        return addresses(waiter)
    }

    func code(_ waiter: UInt64) -> DeviceError.Code? {
        if case .failure(let error)? = results[waiter] { error.code } else { nil }
    }

    /// With an answer of 10.0.0.1 for "c", 60 s.
    static func filled(_ limits: ResolverLimits = ResolverLimits()) -> Bench {
        var bench = Bench(limits)
        bench.resolve("c")
        bench.answer(.a, ["10.0.0.1"])
        bench.reply(.aaaa, .failure(.noData))
        return bench
    }
}

@Suite struct ResolverStateMachineTests {
    @Test func bothFamiliesTogetherThenFromMemory() {
        var bench = Bench()
        let first = bench.resolve("c")
        let second = bench.resolve("c")
        #expect(bench.questions.map(\.type) == [.aaaa, .a])
        bench.answer(.a, ["10.0.0.1", "10.0.0.2"], ttl: 30)
        #expect(bench.results.isEmpty)
        bench.answer(.aaaa, ["2001:db8::1"], ttl: 90)
        #expect(bench.addresses(first) == ["10.0.0.1", "10.0.0.2", "2001:db8::1"])
        #expect(bench.addresses(second) == bench.addresses(first))
        bench.pass(.milliseconds(29_999))
        #expect(bench.addressesNow("c")?.count == 3)
        #expect(bench.machine.counters.questions == 2 && bench.machine.counters.hits == 1)
        bench.pass(.milliseconds(1))
        bench.resolve("c")
        #expect(bench.questions.count == 2, "the shortest time to live counts")
    }

    @Test func oneFamilyThatIsSilentCostsAMoment() {
        var bench = Bench()
        let waiter = bench.resolve("c")
        bench.answer(.a, ["10.0.0.1"])
        bench.pass(.milliseconds(99))
        #expect(bench.results.isEmpty)
        bench.pass(.milliseconds(1))
        #expect(bench.addresses(waiter) == ["10.0.0.1"])
        bench.answer(.aaaa, ["2001:db8::1"])
        #expect(bench.machine.counters.late == 1)
        // What was incomplete is asked for again soon.
        bench.pass(.seconds(1))
        bench.resolve("c")
        #expect(bench.questions.count == 2)
    }

    @Test func timesToLiveAreClamped() {
        for (ttl, expected) in [(0, 1), (1, 1), (60, 60), (86_400, 300)] as [(UInt32, Int)] {
            var bench = Bench()
            bench.resolve("c")
            bench.answer(.aaaa, [])
            bench.answer(.a, ["10.0.0.1"], ttl: ttl)
            bench.pass(.seconds(expected) - .nanoseconds(1))
            bench.resolve("c")
            #expect(bench.questions.isEmpty)
            bench.pass(.nanoseconds(1))
            bench.resolve("c")
            #expect(!bench.questions.isEmpty)
        }
    }

    @Test func refreshAsksButNotWithoutEnd() {
        var bench = Bench.filled()
        bench.resolve("c", refresh: true)
        #expect(bench.questions.isEmpty, "younger than the minimum")
        bench.pass(.seconds(1))
        let waiter = bench.resolve("c", refresh: true)
        #expect(bench.questions.count == 2)
        bench.answer(.a, ["10.0.0.2"])
        bench.answer(.aaaa, [])
        #expect(bench.addresses(waiter) == ["10.0.0.2"])
    }

    @Test func aFrozenDNSCostsAMomentWhereThereIsAnAnswer() throws {
        var bench = Bench.filled()
        bench.pass(.seconds(100))
        let waiter = bench.resolve("c")
        bench.pass(.milliseconds(249))
        #expect(bench.results[waiter] == nil)
        bench.pass(.milliseconds(1))
        let answer = try bench.result(waiter)
        #expect(answer.expires < bench.now && answer.renewalError == nil)
        // The lookup goes on; its failure is told to the next, who does not wait.
        bench.pass(.milliseconds(2750))
        let next = bench.resolve("c")
        #expect(try bench.result(next).renewalError?.code == .timedOut)
        #expect(bench.machine.counters.stale == 2)
        // An answer that comes after all is used.
        bench.pass(.seconds(1))
        let last = bench.resolve("c")
        #expect(bench.questions.count == 4, "two were never answered")
        bench.questions.removeFirst(2)
        bench.answer(.aaaa, [])
        bench.answer(.a, ["10.0.0.7"])
        #expect(bench.addresses(last) == ["10.0.0.7"])
    }

    @Test func withoutAnAnswerTheDeadlineCounts() {
        var bench = Bench()
        let waiter = bench.resolve("c")
        bench.pass(.milliseconds(2999))
        #expect(bench.results.isEmpty)
        bench.pass(.milliseconds(1))
        #expect(bench.code(waiter) == .timedOut)
        #expect(bench.codeNow("c") == .timedOut, "not asked again at once")
        bench.pass(.milliseconds(250))
        bench.resolve("c")
        #expect(bench.questions.count == 4)
    }

    @Test(
        arguments: [
            (.noSuchName, .noSuchName, .notFound), (.noData, .noData, .notFound), (.noData, .timedOut, .timedOut),
            (.refused, .refused, .refused), (.unreachable, .timedOut, .unavailable),
            (.serverFailure, .noData, .unavailable),
            (.malformed, .malformed, .protocolViolation), (.local, .local, .io),
        ] as [(DNSFailure, DNSFailure, DeviceError.Code)])
    func failuresAreToldApart(_ a: DNSFailure, _ aaaa: DNSFailure, _ code: DeviceError.Code) throws {
        var bench = Bench()
        let waiter = bench.resolve("c")
        bench.reply(.a, .failure(a))
        bench.reply(.aaaa, .failure(aaaa))
        #expect(bench.code(waiter) == code)
        guard case .failure(let error)? = bench.results[waiter] else { return }
        #expect(error.hint != nil)
    }

    @Test func noIsBelievedForAsLongAsTheServerSays() {
        for (said, expected) in [(nil, 1), (5, 5), (3600, 30)] as [(UInt32?, Int)] {
            var bench = Bench()
            bench.resolve("c")
            bench.reply(.a, .failure(.noSuchName), negative: said)
            bench.reply(.aaaa, .failure(.noSuchName), negative: said)
            bench.pass(.seconds(expected) - .nanoseconds(1))
            #expect(bench.codeNow("c") == .notFound)
            #expect(bench.questions.isEmpty)
            bench.pass(.nanoseconds(1))
            bench.resolve("c")
            #expect(bench.questions.count == 2)
        }
    }

    @Test func aNameThatIsGoneIsGoneButItsLastAnswerCanBeHad() {
        var bench = Bench.filled()
        bench.pass(.seconds(61))
        let waiter = bench.resolve("c")
        bench.reply(.a, .failure(.noSuchName))
        bench.reply(.aaaa, .failure(.noSuchName))
        #expect(bench.code(waiter) == .notFound)
        #expect(bench.machine.lastAnswer(for: ResolverKey(name: "c"))?.entries.count == 1)
    }

    @Test func hostsAndLocalhostComeFirst() {
        var bench = Bench()
        bench.hosts["c"] = [.loopback4]
        #expect(bench.addressesNow("c") == ["127.0.0.1"])
        #expect(bench.addressesNow("localhost") == ["127.0.0.1", "::1"])
        #expect(bench.addressesNow("a.localhost.") == ["127.0.0.1", "::1"])
        bench.hosts["localhost"] = [.loopback4]
        bench.pass(.seconds(1))
        #expect(bench.addressesNow("localhost") == ["127.0.0.1"])
        #expect(bench.questions.isEmpty)
    }

    @Test func servicesThenTheirTargets() throws {
        var bench = Bench()
        let waiter = bench.resolve("c", service: "_smq._tcp")
        #expect(bench.questions.map(\.name) == ["_smq._tcp.c"])
        let records = [("n1", 81, 0, 10), ("n2", 82, 1, 0), ("10.9.9.9", 83, 2, 0)].map {
            name, port, priority, weight in
            DNSRecord(
                value: .service(target: name, port: port, priority: priority, weight: weight), timeToLive: 50)
        }
        bench.reply(.srv, .success(DNSAnswer(records: records)))
        #expect(bench.questions.count == 4)
        bench.answer(.a, name: "n1", ["10.0.0.1"], ttl: 70)
        bench.answer(.aaaa, name: "n1", [])
        bench.answer(.a, name: "n2", ["10.0.0.2"], ttl: 20)
        bench.reply(.aaaa, name: "n2", .failure(.noData))
        let answer = try bench.result(waiter)
        let entries = answer.entries.sorted { $0.priority < $1.priority }
        #expect(entries.map(\.port) == [81, 82, 83])
        #expect(entries.map(\.timeToLive) == [.seconds(50), .seconds(20), .seconds(50)])
        #expect(entries.map(\.target) == ["n1", "n2", "10.9.9.9"])
        #expect(answer.expires - bench.now == .seconds(20))
    }

    @Test func withoutServicesTheAddressesAreTaken() {
        var bench = Bench()
        let waiter = bench.resolve("c", service: "_smq._tcp")
        bench.reply(.srv, .failure(.noSuchName))
        bench.answer(.a, name: "c", ["10.0.0.1"])
        bench.answer(.aaaa, name: "c", [])
        #expect(bench.addresses(waiter) == ["10.0.0.1"])
        // A service that is declined, and one that nobody answers for, are not replaced.
        let declined = bench.resolve("d", service: "_smq._tcp")
        let none = DNSRecord(value: .service(target: "", port: 0, priority: 0, weight: 0), timeToLive: 9)
        bench.reply(.srv, .success(DNSAnswer(records: [none])))
        #expect(bench.code(declined) == .notFound)
        let silent = bench.resolve("e", service: "_smq._tcp")
        bench.reply(.srv, .failure(.refused))
        #expect(bench.code(silent) == .refused)
    }

    @Test func cancellingOneLeavesTheOthers() {
        var bench = Bench()
        let first = bench.resolve("c")
        let second = bench.resolve("c")
        bench.take(bench.machine.cancel(waiter: first))
        #expect(bench.code(first) == .closed)
        bench.take(bench.machine.cancel(waiter: first))
        bench.answer(.a, ["10.0.0.1"])
        bench.answer(.aaaa, [])
        #expect(bench.addresses(second) == ["10.0.0.1"])
    }

    @Test func everythingIsBounded() {
        var limits = ResolverLimits()
        limits.names = 4
        limits.flights = 3
        limits.waiters = 5
        var bench = Bench(limits)
        for name in ["a", "b", "c"] { bench.resolve(name) }
        #expect(bench.codeNow("d") == .limitExceeded)
        bench.resolve("a")
        bench.resolve("a")
        #expect(bench.codeNow("a") == .limitExceeded)
        #expect(bench.machine.counters.refused == 2)
        for name in ["a", "b", "c"] {
            bench.answer(.a, name: name, ["10.0.0.1"])
            bench.answer(.aaaa, name: name, [])
        }
        bench.resolve("a")
        for name in ["e", "f", "g"] {
            bench.resolve(name)
            bench.answer(.a, name: name, ["10.0.0.1"])
            bench.answer(.aaaa, name: name, [])
        }
        #expect(bench.machine.counters.evicted == 2)
        #expect(bench.machine.lastAnswer(for: ResolverKey(name: "a")) != nil, "used last")
        #expect(bench.machine.lastAnswer(for: ResolverKey(name: "b")) == nil)
        // Questions that are never answered do not pile up.
        limits.questions = 8
        var silent = Bench(limits)
        for index in 0..<20 {
            silent.resolve("n\(index)")
            silent.pass(.seconds(3))
        }
        #expect(silent.machine.counters.questions == 8)
    }

    @Test func theEndIsTheEnd() {
        var bench = Bench.filled()
        let waiter = bench.resolve("d")
        bench.take(bench.machine.shutDown())
        #expect(bench.code(waiter) == .closed)
        #expect(bench.codeNow("c") == .closed)
        #expect(bench.machine.nextDeadline == .distantFuture)
        bench.answer(.a, ["10.0.0.1"])
    }

    /// Anything in any order: nobody is answered twice, and all are answered in the end.
    @Test func survivesAnyEvents() {
        let failures: [DNSFailure] = [.noSuchName, .noData, .timedOut, .refused, .malformed]
        for seed in 0..<200 {
            var random = SeededRandom(seed: UInt64(seed))
            var limits = ResolverLimits()
            limits.names = 3
            limits.questions = 40
            var bench = Bench(limits)
            for _ in 0..<200 {
                let name = ["a", "b", "c", "d"].randomElement(using: &random) ?? "a"
                switch Int.random(in: 0..<6, using: &random) {
                case 0: bench.resolve(name, refresh: Bool.random(using: &random))
                case 1: bench.resolve(name, service: "_s")
                case 2:
                    bench.take(bench.machine.cancel(waiter: UInt64.random(in: 0...bench.lastWaiter, using: &random)))
                case 3:
                    guard let question = bench.questions.randomElement(using: &random) else { continue }
                    bench.questions.removeAll { $0.id == question.id }
                    let result: Result<DNSAnswer, DNSFailure> =
                        if Bool.random(using: &random) {
                            .failure(failures.randomElement(using: &random) ?? .noData)
                        } else if question.type == .srv {
                            .success(
                                DNSAnswer(records: [
                                    DNSRecord(
                                        value: .service(target: name, port: 1, priority: 0, weight: 0), timeToLive: 1)
                                ]))
                        } else {
                            .success(DNSAnswer(records: [DNSRecord(value: .address(.loopback4), timeToLive: 2)]))
                        }
                    for _ in 0...1 { bench.take(bench.machine.answered(question: question.id, result, at: bench.now)) }
                default: bench.pass(.milliseconds(Int.random(in: 0...2000, using: &random)))
                }
            }
            bench.pass(.seconds(10))
            #expect(bench.results.count == Int(bench.lastWaiter))
        }
    }
}
