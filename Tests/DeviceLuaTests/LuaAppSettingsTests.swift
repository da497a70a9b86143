import DeviceCore
import Testing

@testable import DeviceLua

@Suite struct LuaAppSettingsTests {
    private let apps = ["blink", "fade"].map { LuaAppConfiguration(name: $0, source: .text("", name: $0)) }

    private func applied(_ limits: [String], _ permissions: [String] = []) throws -> [LuaAppConfiguration] {
        try LuaAppSettings(limits: limits, permissions: permissions).applied(to: apps)
    }

    @Test func everyLimitIsSet() throws {
        let app = try #require(
            try applied([
                "memory=512KB,disk=3MB,instructions=1000,time=250ms,timers=1,pins=2,sockets=3,files=4,objects=8,threads=5",
                "events=6,lines=7,faults=9,wall=5s",
            ]).first)
        var limits = LuaLimits()
        limits.memory = 512 << 10
        limits.disk = 3 << 20
        limits.instructions = 1000
        limits.processorTime = .milliseconds(250)
        limits.wallTime = .seconds(5)
        (limits.timers, limits.pins, limits.sockets, limits.files) = (1, 2, 3, 4)
        (limits.objects, limits.activations, limits.queuedEvents) = (8, 5, 6)
        (limits.linesPerSecond, limits.faults) = (7, 9)
        #expect(app.limits == limits)
        #expect(
            LuaAppSettings.limitKeys == [
                "disk", "events", "faults", "files", "instructions", "lines", "memory", "objects", "pins", "sockets",
                "threads", "time", "timers", "wall",
            ])
    }

    @Test func anAppsOwnRulesCountMore() throws {
        let apps = try applied(
            ["app=fade,timers=5", "timers=3,pins=1"], ["app=fade,hosts=a+*.example.org", "hosts=none,pins=4+17"])
        #expect(apps.map(\.limits.timers) == [3, 5])
        #expect(apps.map(\.limits.pins) == [1, 1])
        #expect(apps.map { $0.permissions[.hosts] } == [.only([]), .only(["a", "*.example.org"])])
        #expect(apps.allSatisfy { $0.permissions[.pins] == .only(["4", "17"]) })
        #expect(apps.allSatisfy { $0.permissions[.buses] == .all }, "what no rule names stays")
        #expect(apps.map { "\($0.permissions[.hosts])" } == ["none", "*.example.org, a"])
    }

    @Test(arguments: [
        ("", "says nothing"), ("timers", "not KEY=VALUE"), ("timers=", "not KEY=VALUE"), ("timrs=1", "Perhaps timers"),
        ("timers=-1", "0 to 10000"), ("timers=x", "0 to 10000"), ("memory=1KB", "64KB to 1GB"),
        ("memory=99999999999MB", "64KB to 1GB"), ("time=soon", "1ms to 10m"), ("instructions=0", "1000 to"),
        ("app=a,app=b,timers=1", "names two apps"), ("app=blink", "says nothing"),
        ("app=blinks,timers=1", "Perhaps \"blink\""),
    ])
    func mistakesAreExplained(_ rule: String, _ part: String) {
        let error = #expect(throws: DeviceError.self) { try applied([rule]) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    /// A permission that is spelled wrong is not one that is granted.
    @Test(arguments: [
        ("pin=4", "Perhaps pins"), ("pins=", "not KEY=VALUE"),
        ("hosts=a++b", "names with +"), ("pins=4++17", "pins=4+17"),
        ("pins=GPIO4", "the numbers that scripts use"),
        ("hooks=all", "unknown key"),
    ])
    func mistakesInPermissionsAreExplained(_ rule: String, _ part: String) {
        let error = #expect(throws: DeviceError.self) { try applied([], [rule]) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    @Test func aProgramHasKindsOfItsOwn() throws {
        let settings = try LuaAppSettings(limits: [], permissions: ["hooks=led"], kinds: ["hooks"])
        #expect(try settings.applied(to: apps).allSatisfy { $0.permissions["hooks"] == .only(["led"]) })
    }

    /// What a rule says is what a script meets.
    @Test(arguments: [
        ("timers=1", "a, b = ba.timer(print), ba.timer(print) a:set(9) b:set(9)", "too many timers run (at most 1)"),
        ("sockets=0", "ba.socket.udpcon(0)", "too many sockets (at most 0)"),
        ("instructions=1000", "for i = 1, 1e6 do end", "too many instructions"),
        ("memory=64KB", "t = {} for i = 1, 1e5 do t[i] = i end", "not enough memory"),
        ("objects=8", "t = {} for i = 1, 9 do t[i] = ba.timer(print) end", "too many objects (at most 8)"),
        ("threads=1", "for i = 1, 2 do ba.thread.run(print) end", "too many threads (at most 1)"),
    ])
    func aScriptMeetsTheLimit(_ rule: String, _ script: String, _ message: String) async throws {
        let settings = try LuaAppSettings(limits: ["app=test,\(rule)"], permissions: [])
        let rig = try ScriptRig(script) { configuration in
            if let applied = try? settings.applied(to: [configuration]).first { configuration = applied }
        }
        await rig.app.settle()
        #expect(rig.errors.contains { $0.contains(message) }, "\(rig.errors)")
        await rig.stop()
    }
}
