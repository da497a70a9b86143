import DeviceCore
import Testing

@testable import DeviceLua

@Suite(.timeLimit(.minutes(1))) struct ScriptHooksTests {
    private static func led(_ on: Bool) -> JSONValue { .object(["id": 1, "on": .bool(on)]) }

    @Test func withoutFunctionsAllPasses() async {
        let hooks = ScriptHooks()
        #expect(await hooks.decide(.led, Self.led(true)) == .pass)
        #expect(hooks.counters == ScriptHooks.Counters())
    }

    @Test func eachIsAskedWithWhatTheOneBeforeMadeOfIt() async throws {
        let hooks = ScriptHooks()
        let seen = Locked<[JSONValue]>([])
        _ = try hooks.add(.led) { _, answer in answer(.decision(.change(Self.led(false)))) }
        let second = try hooks.add(.led) { value, answer in
            seen.withLock { $0.append(value) }
            answer(.decision(.pass))
        }
        #expect(await hooks.decide(.led, Self.led(true)) == .change(Self.led(false)))
        hooks.remove(second)
        _ = try hooks.add(.led) { _, answer in answer(.decision(.refuse("no"))) }
        #expect(await hooks.decide(.led, Self.led(true)) == .refuse("no"))
        #expect(seen.withLock { $0 } == [Self.led(false)])
        #expect(hooks.counters.asked == 2 && hooks.counters.refused == 1 && hooks.counters.changed == 1)
    }

    @Test func silenceAndFailureHoldNothingUp() async throws {
        let hooks = ScriptHooks(patience: .milliseconds(20))
        let kept = Locked<[@Sendable (ScriptHooks.Answer) -> Void]>([])
        _ = try hooks.add(.uplink) { _, answer in kept.withLock { $0.append(answer) } }
        _ = try hooks.add(.uplink) { _, answer in answer(.failed) }
        #expect(await hooks.decide(.uplink, 1) == .pass)
        #expect(hooks.counters.late == 1 && hooks.counters.failed == 1)
        // An answer that comes later does no harm.
        for answer in kept.withLock({ $0 }) { answer(.decision(.refuse("late"))) }
    }

    @Test func functionsAreBounded() throws {
        let hooks = ScriptHooks()
        for _ in 0..<ScriptHooks.limit { _ = try hooks.add(.move) { _, _ in } }
        #expect(throws: DeviceError.self) { _ = try hooks.add(.move) { _, _ in } }
        #expect(hooks.isUsed(.move) && !hooks.isUsed(.led))
    }
}
