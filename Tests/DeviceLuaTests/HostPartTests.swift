import DeviceCore
import Testing

@testable import DeviceLua

/// Parts of the host without a Lua state.
@Suite struct HostPartTests {
    private func at(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test func backOffDoublesAndIsForgotten() {
        var limits = LuaLimits()
        limits.faults = 2
        var history = LuaFaultHistory(limits)
        history.note(at: at(0))
        #expect(!history.isTooMany(at: at(0)))
        history.note(at: at(20))
        #expect(!history.isTooMany(at: at(20)), "further apart than the window")
        history.note(at: at(21))
        #expect(history.isTooMany(at: at(21)))
        #expect(history.backOff(at: at(21)) == .backingOff(until: at(26)))
        #expect(history.backOff(at: at(30)) == .backingOff(until: at(40)))
        for _ in 0..<10 { _ = history.backOff(at: at(0)) }
        #expect(history.backOff(at: at(0)) == .backingOff(until: at(300)))
        history.ranWell(at: at(1000))
        history.ranWell(at: at(1301))
        #expect(history.backOff(at: at(0)) == .backingOff(until: at(5)))
    }

    @Test func threeFailedStartsAreSafeMode() {
        var history = LuaFaultHistory(LuaLimits())
        #expect(history.startFailed(at: at(0)) == .backingOff(until: at(5)))
        #expect(history.startFailed(at: at(5)) == .backingOff(until: at(15)))
        #expect(history.startFailed(at: at(15)) == .safeMode)
    }

    @Test func deadlinesComeInOrderAndCanBeCancelled() {
        var deadlines = LuaDeadlines()
        var ids: [UInt64] = []
        for second in [5, 1, 4, 1, 3] as [Int64] { ids.append(deadlines.add(at: at(second)) { _ in }) }
        #expect(deadlines.next == at(1))
        deadlines.cancel(ids[1])
        deadlines.cancel(ids[3])
        #expect(deadlines.next == at(3))
        #expect(deadlines.take(at: at(2)) == nil)
        #expect(deadlines.take(at: at(3)) != nil)
        #expect(deadlines.next == at(4))
        // What is cancelled does not stay for ever.
        for _ in 0..<10_000 { deadlines.cancel(deadlines.add(at: at(9)) { _ in }) }
        #expect(deadlines.count == 2)
    }

    @Test func linesAreLimitedPerSecond() {
        var limiter = LuaLineLimiter(perSecond: 2)
        #expect(limiter.admit(at: at(0)) == (true, 0))
        #expect(limiter.admit(at: at(0)) == (true, 0))
        #expect(limiter.admit(at: at(0)) == (false, 0))
        #expect(limiter.admit(at: at(1)) == (true, 1))
    }

    @Test func permissionsAreByNameOrEnding() {
        var permissions = LuaPermissions.none
        #expect(!permissions[.hosts].allows("a"))
        permissions[.hosts] = .only(["a", "*.example.org"])
        #expect(permissions[.hosts].allows("a"))
        #expect(permissions[.hosts].allows("x.example.org"))
        #expect(!permissions[.hosts].allows("example.org"))
        #expect(LuaPermissions()[.listen] == .only(["127.0.0.1", "::1", "localhost"]))
    }
}
