import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import DeviceLua

/// `io`, `ba.openio` and `ba.mkio`: an app's own directory, and nothing else.
@Suite struct AppFileTests {
    private func rig(
        _ script: String, _ change: (inout LuaAppConfiguration) -> Void = { _ in }
    ) throws -> (TemporaryDirectory, ScriptRig) {
        let directory = try TemporaryDirectory()
        mkdir(directory("app"), 0o700)
        mkdir(directory("app/sub"), 0o700)
        try TemporaryDirectory.write(Array("secret".utf8), to: directory("outside"))
        try TemporaryDirectory.write(Array("inside".utf8), to: directory("app/file"))
        symlink("../../outside", directory("app/sub/link"))
        try TemporaryDirectory.write(Array(script.utf8), to: directory("app/main.xlua"))
        return (directory, try ScriptRig(.directory(directory("app")), directory: directory, configure: change))
    }

    @Test func anInnerIOStaysInside() async throws {
        let (directory, rig) = try rig(
            """
            sub = assert(ba.mkio(ba.openio"home", "/sub/"))
            local f = assert(sub:open("new", "w")) assert(f:write("abc", 5)) f:close()
            trace(sub:open("new"):read("a"), io:open("sub/new"):read("a"), sub:stat("new").size, sub:realpath("/new"))
            trace(sub:mkdir("deep"), ba.mkio(sub, "deep"):stat(".").isdir)
            for name, isdir in sub:files("/") do trace(name, isdir) end
            for _, path in ipairs{"../file", "link", "/../file", "deep/../../file"} do trace(path, (sub:open(path))) end
            trace((sub:loadfile("../main.xlua")))
            trace((ba.mkio(io, "absent")), (ba.mkio(io, "..")), (ba.mkio(io, "file")), (ba.mkio()), (ba.openio"vm"))
            trace(ba.io().home:stat("file").size)
            """)
        await rig.app.settle()
        #expect(rig.errors == [])
        #expect(
            rig.traces == [
                "abc5\tabc5\t4\tsub/new", "true\ttrue", "deep\ttrue", "link\tfalse", "new\tfalse", "../file\tnil",
                "link\tnil", "/../file\tnil", "deep/../../file\tnil", "nil", "nil\tnil\tnil\tnil\tnil", "6",
            ])
        #expect(try SystemFile.text(directory("app/sub/new")) == "abc5")
        await rig.stop()
    }

    @Test func theDiskIsLimited() async throws {
        let (_, rig) = try rig(
            """
            local big = ("x"):rep(1000)
            f = io:open("log", "w")
            n = 0
            repeat local ok, why = f:write(big) n = n + (ok and 1 or 0) until not ok
            trace(n, why)
            trace(f:seek("set", 0), f:write("over"))
            f:close() io:remove("log")
            trace(io:open("log", "w"):write(big))
            """
        ) { $0.limits.disk = 4000 }
        await rig.app.settle()
        #expect(rig.errors == [])
        // The script's own file counts too.
        #expect(rig.traces.first == "3\tnil" || rig.traces.first == "3", "\(rig.traces)")
        #expect(rig.traces.last == "true")
        await rig.stop()
    }

    @Test(arguments: [
        ("io:open('file')", "files: read"), ("io:stat('file')", "files: read"), ("io:files('/')", "files: read"),
        ("ba.mkio(io, 'sub')", "files: read"), ("io:open('file', 'a')", "files: write"),
        ("io:mkdir('x')", "files: write"),
        ("io:remove('file')", "files: write"), ("io:loadfile('file')", "files: read"),
        ("ba.create.sharkcert(io, 'file', 'file')", "files: read"),
    ])
    func permissionsAreAsked(_ expression: String, _ what: String) async throws {
        let (_, rig) = try rig("") { $0.permissions = .none }
        let error = await #expect(throws: DeviceError.self) { try await rig.app.evaluate(expression) }
        #expect(error?.message.contains("app test has no permission for \(what)") == true)
        await rig.stop()
    }

    @Test func filesAreLimited() async throws {
        let (_, rig) = try rig("t = {} for i = 1, 3 do t[i] = io:open('file') end") { $0.limits.files = 2 }
        await rig.app.settle()
        #expect(rig.errors.contains { $0.contains("too many files are open (at most 2)") })
        await rig.stop()
    }
}
