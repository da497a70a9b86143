import DeviceCore
import DeviceTransport
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import LEDDemo

@Suite struct DemoProcessTests {
    private func start(
        _ script: String, files: [Int32] = [-1, -1, -1], ended: @escaping @Sendable (Int32) -> Void = { _ in }
    ) async throws -> DemoProcess {
        try await .start(
            .init(path: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"], files: files),
            on: MultiThreadedEventLoopGroup.singleton.next(), ended: ended)
    }

    @Test(arguments: [("exit 7", Int32(7)), ("kill -9 $$", -9), ("true", 0)])
    func theEndIsTold(_ script: String, _ expected: Int32) async throws {
        let ended = BoundedStream<Int32>(limit: 1)
        let child = try await start(script) { ended.send($0) }
        for await status in ended {
            #expect(status == expected)
            break
        }
        #expect(child.hasEnded)
        // Its id may be another's by now.
        child.signal(SIGKILL)
    }

    @Test func itGetsTheFilesThatItIsGivenAndNoOthers() async throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        let child = try await start("ls -x /proc/$$/fd", files: [-1, writing, -1, writing])
        close(writing)
        let lines = Locked<[String]>([])
        let isDone = Locked(false)
        _ = SystemThread.tryDetach {
            LineReader.read(reading) { line in lines.withLock { $0.append(line) } }
            close(reading)
            isDone.withLock { $0 = true }
        }
        try await eventually("the list of files") { isDone.withLock { $0 } }
        // The shell opens one more, its own, for some commands: at 10.
        let files = lines.withLock { $0.joined(separator: " ") }.split(separator: " ").filter { $0 != "10" }
        #expect(files == ["0", "1", "2", "3"])
        withExtendedLifetime(child) {}
    }

    @Test func aProgramThatIsNotThereIsAnError() async {
        let error = await #expect(throws: DeviceError.self) {
            _ = try await DemoProcess.start(
                .init(path: "/nowhere/at all", arguments: [], environment: [:]),
                on: MultiThreadedEventLoopGroup.singleton.next(), ended: { _ in })
        }
        #expect(error?.code == .notFound)
        #expect(error?.description.contains("/nowhere/at all") == true)
    }

    /// A shell plays the broker: it says that it listens, and goes on until it is told otherwise.
    private func node(_ script: String) throws -> (ClusterNode, TemporaryDirectory) {
        let directory = try TemporaryDirectory()
        let program = directory.path + "/broker"
        close(open(program, O_WRONLY | O_CREAT, 0o700))
        try SystemFile.write("#!/bin/sh\n\(script)\n", to: program)
        let node = ClusterNode(
            name: "Node A", address: ListenAddress(host: "127.0.0.1", port: 1), program: program, arguments: [],
            environment: ["PATH": "/usr/bin:/bin"], eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        return (node, directory)
    }

    @Test func aNodeIsFrozenResumedStoppedAndStartedAgain() async throws {
        let (node, directory) = try node("echo Broker: here; while :; do sleep 0.1; done")
        defer { withExtendedLifetime(directory) {} }
        try await node.startUp()
        let first = try #require(node.snapshot.process)
        #expect(await node.obey(.freeze))
        try await eventually("a process that is stopped") { Self.state(of: first) == "T" }
        #expect(await node.obey(.freeze) == false)
        #expect(await node.obey(.resume))
        try await eventually("a process that goes on") { Self.state(of: first) != "T" }
        #expect(await node.obey(.stop))
        try await eventually("the end") { node.snapshot.state == .stopped && node.snapshot.process == nil }
        try await node.startUp()
        #expect(node.snapshot.process != first)
        node.end()
        try await eventually("the end") { node.snapshot.process == nil }
    }

    @Test func aNodeThatEndsByItselfHasCrashedAndSaysWhy() async throws {
        let (node, directory) = try node("echo Broker: here; sleep 3; echo no more >&2; exit 69")
        defer { withExtendedLifetime(directory) {} }
        #expect(await node.obey(.start))
        try await eventually("a crash") { node.snapshot.state == .crashed(69) && node.snapshot.lastLine == "no more" }
    }

    @Test func aNodeThatDoesNotStartIsAnErrorWithItsLastWord() async throws {
        let (node, directory) = try node("echo the port is taken >&2; exit 69")
        defer { withExtendedLifetime(directory) {} }
        let error = await #expect(throws: DeviceError.self) { try await node.startUp() }
        #expect(error?.message.contains("Node A does not start") == true)
    }

    private static func state(of process: Int32) -> String? {
        let text = try? SystemFile.text("/proc/\(process)/stat")
        return text.flatMap { text in text.split(separator: ")").last?.split(separator: " ").first.map(String.init) }
    }
}
