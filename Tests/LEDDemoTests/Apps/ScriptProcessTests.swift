import DeviceCore
import Glibc
import TestSupport
import Testing

/// LEDDemo itself, with scripts.
@Suite(.timeLimit(.minutes(3))) struct ScriptProcessTests {
    private static var program: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let exe = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        return exe[..<(exe.lastIndex(of: "/") ?? exe.startIndex)] + "/LEDDemo"
    }

    private static var examples: String {
        let root = "\(#filePath)".split(separator: "/").dropLast(4).joined(separator: "/")
        return "/\(root)/Examples/lua/"
    }

    @Test func aScriptsPinsAndItsPromptAreOnTheTerminal() async throws {
        let demo = try ChildProgram([
            Self.program, "--board", "sim", "--script", Self.examples + "blink.xlua", "--repl", "--listen",
            "127.0.0.1:0",
        ])
        try await demo.prints("Pins: GPIO4 high")
        try await demo.prints("Pins: GPIO4 low")
        try await demo.prints("Token for changes to apps: ")
        try await demo.send("20 + 22\n")
        try await demo.prints("42\n")
        try await demo.send("error('at the prompt')\n")
        try await demo.prints("at the prompt")
        try await demo.send("esp32.gpio(17, 'OUT')\n")
        try await demo.prints("is in use by \"LEDDemo Red\"")
        demo.endInput()
        #expect(try await demo.ended() == 0)
        #expect(demo.output.contains("Ended: the input ended"))
    }

    @Test func eventsAreJSON() async throws {
        let demo = try ChildProgram([
            Self.program, "--board", "sim", "--json", "--script", Self.examples + "button.xlua", "--listen",
            "127.0.0.1:0",
            "--for", "3s",
        ])
        try await demo.prints(#"{"event":"pins","pins":[{"pin":16,"line":"GPIO16","app":"button","high":false}"#)
        #expect(try await demo.ended() == 0)
    }

    /// What the settings file says is what the script meets, and what the page shows.
    @Test func settingsSayWhatAnAppMayDo() async throws {
        let directory = try TemporaryDirectory()
        try TemporaryDirectory.write(
            Array(
                """
                {
                    // One app alone has less.
                    "script": ["\(directory("good.xlua"))", "\(directory("held.xlua"))"],
                    "app-limit": [{"timers": 20}, {"app": "held", "memory": "128KB"}],
                    "app-permit": {"app": "held", "pins": [5, 6], "hosts": "none", "hooks": "none"}
                }
                """.utf8), to: directory("settings.json"))
        let pin = "trace(pcall(esp32.gpio, 4, 'OUT'))"
        try TemporaryDirectory.write(Array(pin.utf8), to: directory("good.xlua"))
        try TemporaryDirectory.write(
            Array(
                """
                \(pin)
                trace(pcall(ba.socket.connect, "localhost", 80))
                trace(pcall(require"device".on, "led", print))
                trace((pcall(string.rep, "x", 200000)))
                """.utf8), to: directory("held.xlua"))
        let demo = try ChildProgram([
            Self.program, "--board", "sim", "--listen", "127.0.0.1:0", "--config", directory("settings.json"),
        ])
        for line in [
            "good: true", "app held has no permission for pins: 4", "app held has no permission for hosts: localhost",
            "app held has no permission for hooks: led", "held: false\n",
        ] { try await demo.prints(line) }
        let page = try #require(demo.output.split(separator: "\n").first { $0.contains("Apps page: ") })
        let port = try #require(Int(page.split(separator: "/")[1].split(separator: ":").last ?? ""))
        let answer = try await RawConnection.exchange(
            port: port, "GET /apps/state HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        let text = try #require(answer.firstRange(of: "\r\n\r\n")).upperBound
        let state = try JSONValue(parsing: String(answer[text...]))
        let held = try #require(state["apps"]?.arrayValue?.first { $0["name"]?.stringValue == "held" })
        #expect(held["memoryLimit"]?.integerValue == 128 << 10)
        #expect(held["limits"]?.arrayValue?.contains { $0["name"] == "timers" && $0["limit"] == "20" } == true)
        let grants = held["permissions"]?.arrayValue?.map {
            "\($0["name"]?.stringValue ?? "")=\($0["grant"]?.stringValue ?? "")"
        }
        #expect(
            grants == [
                "pins=5, 6", "buses=all", "hosts=none", "listen=127.0.0.1, ::1, localhost", "files=all", "system=none",
                "hooks=none",
            ])
        kill(demo.pid, SIGTERM)
        #expect(try await demo.ended() == 0)
    }

    @Test func settingsForAnAppThatIsNotThereAreRefused() async throws {
        let demo = try ChildProgram([
            Self.program, "--board", "sim", "--listen", "127.0.0.1:0", "--script", Self.examples + "blink.xlua",
            "--app-permit", "app=blinks,pins=none",
        ])
        #expect(try await demo.ended() == 64)
        #expect(demo.output.contains("Perhaps \"blink\" is meant"))
    }

    @Test(arguments: [["--script", "absent.xlua"], ["--apps", "/absent"]])
    func whatIsNotThereIsTold(_ arguments: [String]) async throws {
        let demo = try ChildProgram([Self.program, "--board", "sim", "--listen", "127.0.0.1:0"] + arguments)
        #expect(try await demo.ended() != 0)
        #expect(demo.output.contains("absent"))
    }

    /// All examples run beside each other and beside the demo's own LEDs.
    @Test func everyExampleRunsAtOnce() async throws {
        let demo = try ChildProgram([
            Self.program, "--board", "sim", "--apps", Self.examples, "--listen", "127.0.0.1:0", "--for", "5s",
        ])
        try await demo.prints("Apps: alarm, blink, button, fade, heartbeat, lora-filter, sensor, servo, smq-led-device")
        try await demo.prints("smq-led-device: connected as")
        #expect(try await demo.ended() == 0)
        #expect(!demo.output.contains("traceback"), "\(demo.output)")
    }
}
