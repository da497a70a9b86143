import ArgumentParser
import DeviceCore
import DeviceLua
import DeviceScripts
import Glibc
import TestSupport
import Testing

@testable import LEDDemo

@Suite struct AppFolderTests {
    /// An app with files that belong to it and files that do not.
    private static func app() throws -> (TemporaryDirectory, AppFolder) {
        let directory = try TemporaryDirectory()
        for folder in [".lua", "sub", ".git"] { mkdir(directory(folder), 0o700) }
        for file in ["main.xlua", ".preload", ".lua/m.lua", "sub/x.xlua", ".git/config.lua", "secret.txt"] {
            let made = creat(directory(file), 0o600)
            try #require(made >= 0)
            _ = write(made, "text", 4)
            close(made)
        }
        symlink("/etc/passwd", directory("link.lua"))
        return (directory, try #require(AppFolder(.directory(directory.path))))
    }

    @Test func onlyAnAppsOwnFilesAreThere() throws {
        let (directory, folder) = try Self.app()
        #expect(folder.names == [".lua/m.lua", ".preload", "main.xlua", "sub/x.xlua"])
        #expect(try folder.read("main.xlua") == Array("text".utf8))
        #expect(AppFolder(.file(directory("main.xlua")))?.names == ["main.xlua"])
        #expect(AppFolder(.text("", name: "x")) == nil)
    }

    @Test(arguments: [
        "secret.txt", "link.lua", "../x", "/etc/passwd", "", ".git/config.lua", "new.xlua", "main.xlua/.",
    ])
    func whatIsNoneOfThemIsRefused(_ name: String) throws {
        let (directory, folder) = try Self.app()
        #expect(throws: DeviceError.self) { try folder.read(name) }
        #expect(throws: DeviceError.self) { try folder.write([1], to: name) }
        #expect(try SystemFile.text(directory("secret.txt")) == "text")
    }

    @Test func aFileIsReplacedWhole() throws {
        let (directory, folder) = try Self.app()
        try folder.write(Array("new text".utf8), to: "sub/x.xlua")
        #expect(try folder.read("sub/x.xlua") == Array("new text".utf8))
        #expect(folder.names.count == 4, "nothing is left beside it")
        let error = #expect(throws: DeviceError.self) {
            try folder.write([UInt8](repeating: 32, count: AppFolder.sizeLimit + 1), to: "main.xlua")
        }
        #expect(error?.code == .limitExceeded)
        #expect(try SystemFile.text(directory("main.xlua")) == "text")
    }
}

@Suite struct AppTraceTests {
    @Test func keepsTheNewestAndNumbersThem() {
        let trace = AppTrace()
        for number in 1...AppTrace.limit + 1 {
            trace.add(app: "a", text: "\(number)", isError: false)
        }
        #expect(trace.newest == UInt64(AppTrace.limit + 1))
        let lines = trace.lines(after: 0)
        #expect(lines.count == AppTrace.limit * 4 / 5 + 1)
        #expect(lines.last?.text == "\(AppTrace.limit + 1)")
        #expect(trace.lines(after: trace.newest - 1).map(\.text) == ["\(AppTrace.limit + 1)"])
    }
}

@Suite struct AppOptionTests {
    @Test func scriptsAreRead() throws {
        let command = try LEDDemoCommand.parse([
            "--script", "a.xlua", "--script", "b.xlua", "--repl", "--script-pin", "4=pin16", "--pwm", "GPIO18=0:1",
        ])
        let options = try command.options().apps
        #expect(options.sources.scripts == ["a.xlua", "b.xlua"] && options.hasPrompt)
        #expect(options.pins.line(of: 4) == .pin(16))
        #expect(options.pwmOutputs["GPIO18"]?.channel == 1)
    }

    @Test func whatAppsMayDoIsRead() throws {
        let command = try LEDDemoCommand.parse([
            "--script", "a.xlua", "--app-limit", "memory=1MB", "--app-limit", "app=a,timers=2", "--app-permit",
            "app=a,pins=4+17,hooks=none",
        ])
        let app = LuaAppConfiguration(name: "a", source: .file("a.xlua"))
        let applied = try #require(try command.options().apps.sources.settings.applied(to: [app]).first)
        #expect(applied.limits.memory == 1 << 20 && applied.limits.timers == 2)
        #expect(applied.permissions[.pins] == .only(["4", "17"]) && applied.permissions[.hooks] == .only([]))
    }

    @Test(arguments: [
        (["--repl"], "there are none"), (["--app-limit", "timers=1"], "there are none"),
        (["--script", "a", "--app-limit", "timer=1"], "unknown key"),
        (["--script", "a", "--app-permit", "pin=1"], "unknown key"),
        (["--script", "a", "--cluster", "2"], "without scripts"),
        (["--script", "a", "--apps-on-lan"], "--apps-on-lan needs --lan"),
        (["--script", "a", "--pwm", "GPIO18"], "names no PWM output"),
        (["--script", "a", "--pwm", "GPIO18=0:-1"], "names no PWM output"),
        (["--script", "a", "--script-pin", "x"], "maps no pin"),
    ])
    func mistakesAreRefused(_ arguments: [String], _ message: String) throws {
        let command = try LEDDemoCommand.parse(arguments)
        let error = #expect(throws: DeviceError.self) { _ = try command.options() }
        #expect(error?.message.contains(message) == true)
    }
}
