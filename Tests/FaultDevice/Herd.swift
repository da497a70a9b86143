import ArgumentParser
import DeviceCore
import DeviceTransport
import NIOCore
import UnixSignals

/// `herd`: many clients at once, each subscribed to a topic.
///
/// Lines: `count` (connected) when that has changed, at most 20 times a second; at SIGTERM `client` for each: when its
/// first session was lost, when it was back, on which node, how many attempts failed in between, how many messages it
/// heard since; then `reason` (count) for each reason that sessions ended for; then `summary`.
struct Herd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Many clients at once.")

    @OptionGroup var client: ClientOptions

    @Option(help: "How many.")
    var clients = 1_000

    func validate() throws {
        guard (1...20_000).contains(clients) else { throw ValidationError("--clients is a number from 1 to 20000") }
    }

    /// What one client went through.
    private struct Story: Sendable {
        var isConnected = false
        var node = ""
        var lost: Int64?
        var back: Int64?
        var failed: Int64 = 0
        var losses: Int64 = 0
        var heard: Int64 = 0
        /// Why sessions ended; the first few.
        var reasons: [String] = []

        mutating func take(_ event: DeviceClient.Event) {
            switch event {
            case .connected(let node):
                (isConnected, self.node) = (true, node)
                if lost != nil, back == nil { back = Journal.now }
            case .moved, .notice: break
            case .disconnected(_, let reason, let wasConnected):
                isConnected = false
                if wasConnected {
                    losses += 1
                    if reasons.count < 8 { reasons.append(reason) }
                    if lost == nil { lost = Journal.now }
                } else if lost != nil {
                    failed += 1
                }
            }
        }
    }

    private final class Member: Sendable {
        let story = Locked(Story())
    }

    func run() async throws {
        OpenFiles.raiseLimit()
        let journal = Journal(isBuffered: true)
        let resolver = try DeviceClient.resolver(client)
        let members = (0..<clients).map { _ in Member() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await journal.flushRegularly() }
            group.addTask {
                var last = -1
                while !Task.isCancelled {
                    let connected = members.count { $0.story.withLock { $0.isConnected } }
                    if connected != last { journal.add("count", [("connected", .integer(Int64(connected)))]) }
                    last = connected
                    try? await Task.sleep(for: .milliseconds(50))
                }
            }
            for member in members {
                let device = try DeviceClient(client, resolver: resolver)
                group.addTask { await device.forEachEvent { event in member.story.withLock { $0.take(event) } } }
                group.addTask { [topic = client.topic] in
                    await device.forEachLive(of: topic) {
                        member.story.withLock { if $0.back != nil { $0.heard += 1 } }
                    }
                }
                group.addTask { try await device.run() }
            }
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { break }
            tell(members.map { $0.story.withLock { $0 } }, journal)
            group.cancelAll()
            while (await group.nextResult()) != nil {}
        }
        journal.flush()
    }

    private func tell(_ stories: [Story], _ journal: Journal) {
        for story in stories {
            journal.add(
                "client",
                [
                    ("lost", story.lost.map { .integer($0) } ?? .null),
                    ("back", story.back.map { .integer($0) } ?? .null), ("node", .string(story.node)),
                    ("failed", .integer(story.failed)), ("losses", .integer(story.losses)),
                    ("heard", .integer(story.heard)),
                ])
        }
        let reasons = Dictionary(stories.flatMap(\.reasons).map { ($0, Int64(1)) }, uniquingKeysWith: +)
        for (reason, count) in reasons.sorted(by: { $0.value > $1.value }) {
            journal.add("reason", [("reason", .string(reason)), ("count", .integer(count))])
        }
        journal.add(
            "summary",
            [
                ("clients", .integer(Int64(stories.count))),
                ("lost", .integer(Int64(stories.count { $0.lost != nil }))),
                ("back", .integer(Int64(stories.count { $0.back != nil }))),
            ])
    }
}
