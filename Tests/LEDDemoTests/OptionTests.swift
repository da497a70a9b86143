import ArgumentParser
import DeviceCore
import Testing

@testable import LEDDemo

@Suite struct OptionTests {
    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("10s", .seconds(10)), ("2m", .seconds(120)), ("1h", .seconds(3600)),
    ])
    func durationsAreRead(_ text: String, _ expected: Duration) throws {
        #expect(try DurationText.parse(text) == expected)
    }

    @Test(arguments: ["", "10", "s", "-1s", "nans", "1e99h", "10 s s", "infs"])
    func otherDurationsAreRefused(_ text: String) {
        #expect(throws: DeviceError.self) { try DurationText.parse(text) }
    }

    @Test func buttonsAreRead() throws {
        let button = try ButtonSpecification("line=pin18,led=2")
        #expect(button.line == .pin(18))
        #expect(button.led == 2)
        #expect(try ButtonSpecification("line=GPIO24").led == 1)
    }

    @Test(arguments: ["", "pin18", "led=1", "line=pin18,led=0", "line=pin18,led=x", "line=pin18,colour=red"])
    func otherButtonsAreRefused(_ text: String) {
        #expect(throws: DeviceError.self) { try ButtonSpecification(text) }
    }

    @Test(arguments: [
        (["--broker", "ftp://x"], "unknown scheme"),
        (["--broker", "smq://a", "--listen", "127.0.0.1:1"], "--broker replaces"),
        (["--open"], "--open needs --lan"), (["--listen", "0.0.0.0:8080"], "reachable from other machines"),
        (["--lan", "--listen", "127.0.0.1:1"], "contradict"), (["--listen", "nonsense"], "not an address"),
        (["--on-exit", "initial"], "is unknown"), (["--for", "soon"], "not a duration"),
        (["--led", "name=A,color=pink,line=pin11"], "color"), (["--button", "x"], "KEY=VALUE"),
    ])
    func wrongCommandLinesAreExplained(_ arguments: [String], _ part: String) async throws {
        let command = try LEDDemoCommand.parse(arguments)
        let error = #expect(throws: DeviceError.self) { try command.options() }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
        #expect(error?.exitStatus == 64)
    }

    @Test func keysAreDecoded() {
        #expect(TerminalInput.decode([0x31, 0x1B, 0x5B, 0x41, 0x71][...]) == [.character("1"), .up, .character("q")])
        #expect(TerminalInput.decode([0x1B, 0x4F, 0x42][...]) == [.down])
        // A broken escape sequence and bytes that are no ASCII are no keys.
        #expect(TerminalInput.decode([0x1B, 0x5B][...]).isEmpty)
        #expect(TerminalInput.decode([0xC3, 0xA4][...]).isEmpty)
    }

    @Test func degreesAreWrittenAsPeopleDo() {
        #expect(TerminalScreen.degrees(215) == "21.5 °C")
        #expect(TerminalScreen.degrees(-5) == "-0.5 °C")
    }
}
