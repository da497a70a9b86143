import DeviceCore
import Glibc
import Testing

@testable import LEDDemo

@Suite struct OutputWriterTests {
    /// A pipe whose reading end nobody drains until the test does.
    private struct Pipe {
        var read: Int32
        var write: Int32

        init() throws {
            var ends: [Int32] = [0, 0]
            try #require(pipe(&ends) == 0)
            read = ends[0]
            write = ends[1]
        }

        func text(until end: String) -> String {
            var text = ""
            var buffer = [UInt8](repeating: 0, count: 65536)
            while !text.contains(end) {
                let count = Glibc.read(read, &buffer, buffer.count)
                guard count > 0 else { break }
                text += String(decoding: buffer[0..<count], as: UTF8.self)
            }
            return text
        }
    }

    @Test(.timeLimit(.minutes(5))) func fullPipeStopsNobodyAndDropsAreTold() async throws {
        let pipe = try Pipe()
        let writer = OutputWriter(file: pipe.write, limit: 10) { "\($0) lines dropped" }
        let long = String(repeating: "x", count: 1000)
        for index in 0..<1000 { writer.post(["\(index) \(long)"]) }
        let start = ContinuousClock.now
        await writer.drain(atMost: .milliseconds(100))
        #expect(ContinuousClock.now - start < .seconds(60))
        // The newest are kept, after a line that counts what is missing.
        let text = pipe.text(until: "999 \(long)\n")
        #expect(text.contains(" lines dropped\n"))
        #expect(text.contains("\n990 "))
        let kept = text.split(separator: "\n").filter { $0.hasSuffix("xxx") }.count
        let dropped = text.split(separator: "\n").compactMap { Int($0.prefix { $0.isNumber }) }
        #expect(kept < 1000 && !dropped.isEmpty)
    }

    @Test(.timeLimit(.minutes(5))) func readerThatLeavesIsNoticedWithoutOutput() async throws {
        signal(SIGPIPE, SIG_IGN)
        let pipe = try Pipe()
        let writer = OutputWriter(file: pipe.write) { "\($0)" }
        writer.post(["first"])
        #expect(pipe.text(until: "\n") == "first\n")
        close(pipe.read)
        var gone = 0
        for await _ in writer.readerGone { gone += 1 }
        #expect(gone == 1)
        await writer.drain(atMost: .seconds(60))
    }

    @Test func narrowedTerminalIsErasedWithTheRowsThatItWrapped() {
        #expect(OutputWriter.erasing([], (80, 24)).isEmpty)
        #expect(OutputWriter.erasing(["", "12345"], (80, 24)) == "\u{1B}[2F\u{1B}[J")
        #expect(OutputWriter.erasing(["", "12345"], (2, 24)) == "\u{1B}[4F\u{1B}[J")
        #expect(OutputWriter.erasing(["", "12345"], (2, 3)) == "\u{1B}[2F\u{1B}[J")
    }
}

@Suite struct TerminalTextTests {
    @Test func columnsAreThoseOfATerminal() {
        #expect(TerminalText.columns("abc") == 3)
        #expect(TerminalText.columns("\u{1B}[91m●\u{1B}[0m") == 1)
        #expect(TerminalText.columns("漢字") == 4)
        #expect(TerminalText.columns("e\u{301}") == 1)
        #expect(TerminalText.columns("👍") == 2)
    }

    @Test func textIsCutToColumnsAndColorsEnd() {
        #expect(TerminalText.fit("abcdef", 6) == "abcdef")
        #expect(TerminalText.fit("abcdef", 4) == "abc…")
        #expect(TerminalText.fit("漢字漢字", 4) == "漢…")
        #expect(TerminalText.fit("\u{1B}[1mabcdef\u{1B}[0m", 3) == "\u{1B}[1mab…\u{1B}[0m")
    }

    @Test func steeringCharactersAreReplaced() {
        #expect("a\u{1B}[2Jb\n\u{9B}c\u{7F}\u{2028}d\u{202E}".printable == "a�[2Jb��c��d�")
        #expect("Grün 漢 👍".printable == "Grün 漢 👍")
        let event = DemoEvent.disconnected(
            node: "n\u{1B}", reason: "r\u{7}", hint: "h\u{9B}", retryIn: .seconds(1), wasConnected: true)
        #expect(event.line == "Lost n�: r�. h�. Trying again in 1000 ms.")
        #expect(DemoEvent.connected(node: "n", address: "\u{1B}]0;x\u{7}").line?.contains("\u{1B}") == false)
        var screen = TerminalScreen()
        screen.connection = "evil\u{1B}[2J\u{9B}"
        #expect(screen.rows(width: 80, height: 24).contains { $0.contains("evil�[2J�") })
    }

    @Test func scriptsPinsLeaveRoomForAPrompt() {
        #expect(DemoEvent.pins([]).line != nil && DemoEvent.pins([]).promptLine == nil)
        #expect(DemoEvent.trace(app: "a", text: "b", isError: false).promptLine == "a: b")
    }

    private var screen: TerminalScreen {
        var screen = TerminalScreen()
        screen.title = "Raspberry Pi 4 Model B (simulated)"
        screen.page = "http://127.0.0.1:8080/?token=0123456789abcdef0123456789abcdef"
        screen.connection = "Connected to: 127.0.0.1:8080 (as 127.0.0.1)"
        screen.leds = (1...32).map {
            .init(id: $0, name: "漢字漢字漢字漢字漢字", color: "red", line: "GPIO17, pin 11", isOn: false)
        }
        screen.temperature = 215
        screen.watchers = 2
        screen.keys = "1-9 toggle a LED   ↑ ↓ temperature   q quit"
        return screen
    }

    @Test(arguments: [1, 2, 10, 20, 39, 40, 80, 200], [1, 2, 5, 10, 24, 60])
    func pictureFitsEveryTerminal(_ width: Int, _ height: Int) {
        let rows = screen.rows(width: width, height: height)
        #expect(rows.count <= max(1, height - 1))
        for row in rows { #expect(TerminalText.columns(row) <= width) }
    }

    @Test func lowAndNarrowTerminalsLeaveOut() {
        let low = screen.rows(width: 80, height: 12)
        #expect(low.count == 11)
        #expect(low.contains { $0.contains("… 27 more") })
        #expect(screen.rows(width: 80, height: 60).contains { $0.contains("GPIO17") })
        #expect(!screen.rows(width: 39, height: 60).contains { $0.contains("GPIO17") })
    }
}
