import DeviceCore
import Glibc
import TestSupport
import Testing

@Suite struct AtomicFileTests {
    @Test func whatCanBeWrittenPassesTheCheckAndLeavesNothing() throws {
        let directory = try TemporaryDirectory()
        let path = directory("summary.json")
        try AtomicFile.check(path)
        #expect(access(path, F_OK) != 0)
        try AtomicFile.write("1", to: path)
        try AtomicFile.check(path)
        #expect(try SystemFile.read(path) == Array("1".utf8), "what is there stays")
        #expect(access("\(path).\(getpid()).tmp", F_OK) != 0)
    }

    @Test func whatCannotBeWrittenIsKnownBefore() throws {
        let directory = try TemporaryDirectory()
        for path in [directory("missing/summary.json"), directory("")] {
            let error = #expect(throws: DeviceError.self, "\(path)") { try AtomicFile.check(path) }
            #expect(error?.code == .io && error?.message.contains("cannot write") == true)
        }
    }
}
