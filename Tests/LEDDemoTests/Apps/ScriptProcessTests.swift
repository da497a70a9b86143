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
