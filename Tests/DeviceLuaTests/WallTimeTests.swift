import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import DeviceLua

/// Calls that block the app's thread take no processor time and hardly an instruction.
@Suite struct WallTimeTests {
    /// Budgets that nothing here uses up, but for the wall.
    private func patient(_ configuration: inout LuaAppConfiguration) {
        configuration.limits.instructions = 1_000_000_000_000
        configuration.limits.processorTime = .seconds(600)
        configuration.limits.wallTime = .milliseconds(100)
    }

    private static let slow = LuaLibrary(
        "slow",
        members: [
            "call": .function { call in
                usleep(UInt32(clamping: try call.integer(0)) * 1000)
                call.context.hasBlocked()
                return .success
            }
        ])

    @Test func callsThatBlockAreEndedAfterTheirTime() async throws {
        let rig = try ScriptRig(
            "for i = 1, 1000 do pcall(slow.call, 60) done = i end", libraries: [Self.slow], configure: patient)
        await rig.app.settle()
        #expect(rig.errors.contains { $0.contains("too long on the clock without a wait") }, "\(rig.errors)")
        let figures = rig.app.statistics
        #expect(figures.kills == 1)
        await rig.stop()
    }

    @Test func filesAreSuchCalls() async throws {
        let directory = try TemporaryDirectory()
        try TemporaryDirectory.write(
            Array("local f = io:open('main.xlua') while true do f:seek('set') f:read() end".utf8),
            to: directory("main.xlua"))
        let rig = try ScriptRig(
            .directory(directory.path), directory: directory, configure: patient)
        await rig.app.settle()
        #expect(rig.errors.contains { $0.contains("too long on the clock without a wait") }, "\(rig.errors)")
        await rig.stop()
    }

    /// Time in which a script waits is not its own.
    @Test func waitsDoNotCount() async throws {
        let rig = try ScriptRig(
            .text("for i = 1, 30 do slow.call(0) ba.sleep(70) end trace('done')", name: "main.xlua"), manual: false,
            libraries: [Self.slow]
        ) {
            patient(&$0)
            $0.limits.wallTime = .milliseconds(1500)
        }
        try await eventually("the script is done") { rig.traces == ["done"] }
        #expect(rig.errors == [])
        await rig.stop()
    }
}
