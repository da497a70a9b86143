import CLuaShim
import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import DeviceLua

/// Runs public example scripts as they are. They are not part of this repository: DEVICE_LUA_EXAMPLES names a checkout of
/// RealTimeLogic/LSP-Examples.
@Suite struct PublicExampleTests {
    static let root = getenv("DEVICE_LUA_EXAMPLES").map { String(cString: $0) }
    static let reason: Comment = "set DEVICE_LUA_EXAMPLES to a checkout of RealTimeLogic/LSP-Examples"

    /// `esp32.gpio` that writes down what is done to pins, and when.
    private final class RecordedPin: LuaResource {
        static let luaClass = LuaClass(
            "gpio",
            methods: [
                "value": { call in
                    let pin: RecordedPin = try call.resource(0)
                    let milliseconds = call.context.now.nanoseconds / 1_000_000
                    call.context.write(.info, "\(milliseconds) pin \(pin.number) \(try call.boolean(1) ? "on" : "off")")
                    return .success
                }
            ])
        let number: Int
        init(_ number: Int) { self.number = number }
        func close(in context: LuaContext) { context.write(.info, "pin \(number) closed") }
    }

    private static let board = LuaLibrary(
        "esp32",
        members: [
            "gpio": .function { call in
                let pin = RecordedPin(try call.integer(0, in: 0...63, "the pin"))
                return .value(.object(try call.context.add(pin)))
            }
        ])
    /// What the vendor's stand-alone server has besides: here modules of an app are found without it.
    private static let mako = LuaLibrary("mako", members: ["createloader": .function { _ in .success }])

    @Test(.enabled(if: root != nil, reason)) func blinkLED() async throws {
        let path = try #require(Self.root) + "/ESP32/misc/blinkled.xlua"
        let rig = try ScriptRig(.file(path), libraries: [Self.board])
        await rig.app.settle()
        await rig.advance(.milliseconds(250), steps: 16)
        let pins = rig.lines.filter { $0.contains("pin 4") }
        #expect(pins == ["1000 pin 4 on", "2000 pin 4 off", "3000 pin 4 on", "4000 pin 4 off"])
        #expect(rig.traces == ["blink", "blink"])
        // As its comment says: nobody holds the timer, so that it ends with a collection, and frees the pin.
        _ = try await rig.app.evaluate("collectgarbage()")
        await rig.advance(.milliseconds(250), steps: 16)
        #expect(rig.lines.last == "pin 4 closed")
        #expect(rig.errors == [])
        await rig.stop()
    }

    @Test(.enabled(if: root != nil, reason)) func requireTest() async throws {
        let path = try #require(Self.root) + "/require-test/www"
        let rig = try ScriptRig(.directory(path), libraries: [Self.mako])
        await rig.app.settle()
        #expect(rig.errors == [])
        #expect(rig.traces.first?.contains("Start .preload") == true)
        #expect(rig.traces.last?.contains("End .preload") == true)
        for number in 1...3 { #expect(rig.traces.contains { $0.contains("Hello World \(number)") }) }
        await rig.stop()
    }

    @Test(.enabled(if: root != nil, reason)) func appDeployment() async throws {
        let path = try #require(Self.root) + "/Xedge-App-Deployment/www"
        let rig = try ScriptRig(.directory(path))
        await rig.app.settle()
        await rig.stop()
        #expect(
            rig.traces == [
                "MyApp: .preload starting", "MyApp: MyTest.xlua starting", "MyApp: Stopping MyTest.xlua",
                "MyApp: Stopping .preload",
            ])
    }

    /// The public MQTT broker, 994 lines on cosockets and bytearrays, serves a client that is a script too.
    @Test(.enabled(if: root != nil, reason)) func mqttBroker() async throws {
        let path = try #require(Self.root) + "/MQTT-Broker/www/.lua/mqttbroker.lua"
        let directory = try TemporaryDirectory()
        mkdir(directory(".lua"), 0o700)
        try TemporaryDirectory.write(try TemporaryDirectory.read(path), to: directory(".lua/mqttbroker.lua"))
        try TemporaryDirectory.write(
            Array(
                """
                broker = assert(require("mqttbroker").create{
                    port = 0, address = "127.0.0.1", onerror = function(c, kind, status) trace("onerror", kind, status) end})
                local _, port = broker.listener:sockname()
                local function client(id, subscribes)
                    local s = assert(ba.socket.connect("127.0.0.1", port))
                    s:write("\\x10\\x0e\\0\\4MQTT\\5\\2\\0\\x3c\\0\\0\\1" .. id)   -- CONNECT, MQTT 5, clean start
                    local ack = s:read(60000)
                    trace(id, "connected", ack and ack:byte(1) == 0x20 and ack:byte(4) == 0)
                    if subscribes then
                        s:write("\\x82\\x09\\0\\1\\0\\0\\3t/a\\0")
                        local ack = s:read(60000)
                        trace(id, "subscribed", ack and ack:byte(1) == 0x90)
                    end
                    return s
                end
                ba.thread.run(function()
                    local a = client("a", true)
                    local b = client("b")
                    b:write("\\x30\\x0b\\0\\3t/a\\0hello")
                    trace("received", (a:read(60000) or ""):sub(-5))
                end)
                """.utf8), to: directory(".preload"))
        let rig = try ScriptRig(.directory(directory.path), manual: false)
        try await eventually("the message") { rig.traces.contains { $0.hasPrefix("received") } || !rig.errors.isEmpty }
        #expect(rig.errors == [])
        #expect(rig.traces == ["a\tconnected\ttrue", "a\tsubscribed\ttrue", "b\tconnected\ttrue", "received\thello"])
        await rig.stop()
    }

    @Test(.enabled(if: root != nil, reason)) func everyScriptIsCompiled() async throws {
        let rig = try ScriptRig("") { $0.limits.memory = 16 << 20 }
        var count = 0
        for path in Self.scripts(below: try #require(Self.root)) {
            let text = try TemporaryDirectory.read(path)
            count += 1
            let result = await withCheckedContinuation { continuation in
                rig.app.post { context in continuation.resume(returning: Self.compile(text, path, context)) }
            }
            #expect(result == nil, "\(path): \(result ?? "")")
        }
        #expect(count > 50)
        await rig.stop()
    }

    /// What is wrong with a text, nil for one that compiles.
    private static func compile(_ text: [UInt8], _ path: String, _ context: LuaContext) -> String? {
        let function = text.withUnsafeBytes { bytes in
            clua_compile(
                context.host, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, "@" + path, 0)
        }
        guard function >= 0 else { return String(cString: clua_error_text(context.host)) }
        clua_unreference(context.host, function)
        return nil
    }

    private static func scripts(below path: String) -> [String] {
        TemporaryDirectory.names(path).flatMap { name -> [String] in
            let child = path + "/" + name
            var status = stat()
            guard name != ".git", lstat(child, &status) == 0 else { return [] }
            if status.st_mode & S_IFMT == S_IFDIR { return scripts(below: child) }
            return [".xlua", ".lua", ".preload", ".config"].contains(where: name.hasSuffix) ? [child] : []
        }
    }
}
