import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

/// What the broker tells of sessions to who follows them.
@Suite struct BrokerSessionTests {
    private func words(_ bench: BrokerBench) -> [String] {
        bench.machine.takeSessionChanges().map { change in
            "\(String(buffer: change.uid)) \(change.end?.rawValue ?? "begins")"
        }
    }

    @Test func sessionsBeginAndEndInOrder() throws {
        let bench = BrokerBench()
        bench.machine.followsSessions = true
        let first = try bench.open("device")
        #expect(bench.machine.sessionChanges(etid: first.etid) == ["device begins"])
        let second = try bench.open("device")
        #expect(words(bench) == ["device taken-over", "device begins"], "the old one before the new one")
        bench.detach(second.peer)
        #expect(words(bench) == ["device connection-lost"])
        #expect(words(bench) == [])
    }

    @Test func whoWasNotLetInHadNoSession() throws {
        let bench = BrokerBench(authenticates: true)
        bench.machine.followsSessions = true
        let peer = try bench.attach()
        bench.detach(peer)
        #expect(words(bench) == [])
    }

    @Test func nothingGathersWhereNobodyFollows() throws {
        let bench = BrokerBench()
        bench.detach(try bench.open("device").peer)
        #expect(words(bench) == [])
    }
}

extension SMQBrokerStateMachine {
    fileprivate mutating func sessionChanges(etid: UInt32) -> [String] {
        takeSessionChanges().filter { $0.etid == etid }.map {
            "\(String(buffer: $0.uid)) \($0.end?.rawValue ?? "begins")"
        }
    }
}
