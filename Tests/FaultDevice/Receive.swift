import ArgumentParser
import DeviceCore
import NIOCore
import Outbox
import UnixSignals

/// `receive`: the independent receivers, one session for each node, with one de-duplicator for all.
///
/// Lines: `message` (node, n, sent) for each one that reached the handler; `connected` and `disconnected` with
/// `observing`; `probe` once a second for each node that hands this receiver's own message on the same topic back, the
/// proof that it would hear others; at the end `summary` with what was suppressed and what was dropped unread.
struct Receive: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Receives from every node.")

    @Option(help: "A node, ADDR:PORT. Again for more.")
    var node: [String]

    @Flag(help: "Connect by TLS, whatever certificates the nodes have.")
    var tls = false

    @Option(help: "Directory of what has to survive the process.")
    var state: String

    @Option(help: "The topic.")
    var topic = "rig/numbers"

    @Option(help: "Subscribe to nothing on this node: a broken receiver, by which the rig tests itself.")
    var deaf: String?

    @Flag(help: "Miss every tenth message, for the same purpose.")
    var forgetful = false

    func run() async throws {
        let journal = Journal(isBuffered: true)
        let seen = try await Deduplicator.open(directory: state)
        let handler = Handler(journal, isForgetful: forgetful)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await journal.flushRegularly() }
            for node in node {
                let client = try DeviceClient(observing: node, isSecure: tls)
                let numbers = node == deaf ? nil : client.messages(of: topic, seen: seen)
                group.addTask { try await client.run() }
                group.addTask { await client.forEachEvent { note($0, in: journal, observing: node) } }
                group.addTask { [topic] in
                    while !Task.isCancelled {
                        try? client.publishLive(handler.probe, to: topic)
                        try? await Task.sleep(for: .seconds(1))
                    }
                }
                guard let numbers else { continue }
                group.addTask {
                    let dropped = await numbers.forEach { handler.handle($0, from: node) }
                    handler.dropped.withLock { $0 += dropped }
                }
            }
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { break }
            group.cancelAll()
            // Clients that were cancelled end by throwing or not.
            while (await group.nextResult()) != nil {}
        }
        let counters = seen.counters
        journal.add(
            "summary",
            [
                ("suppressed", .integer(Int64(clamping: counters.duplicates))),
                ("dropped", .integer(Int64(clamping: handler.dropped.withLock { $0 }))),
            ])
        journal.flush()
        try? await seen.close()
    }
}

/// What the sessions share.
private final class Handler: Sendable {
    private let journal: Journal
    private let isForgetful: Bool
    /// Number 0 is a probe, and where others carry their time, it carries whose.
    private let mark = Int64.random(in: .min ... .max)
    let dropped = Locked(UInt64(0))

    init(_ journal: Journal, isForgetful: Bool) { (self.journal, self.isForgetful) = (journal, isForgetful) }

    var probe: ByteBuffer {
        var probe = ByteBuffer()
        probe.writeInteger(UInt64(0))
        probe.writeInteger(mark)
        return probe
    }

    func handle(_ payload: ByteBuffer, from node: String) {
        var payload = payload
        guard let number: UInt64 = payload.readInteger(), let sent: Int64 = payload.readInteger() else {
            journal.add("strange", [("node", .string(node))])
            return
        }
        guard number != 0 else {
            if sent == mark { journal.add("probe", [("node", .string(node))]) }
            return
        }
        guard !isForgetful || number % 10 != 0 else { return }
        journal.add(
            "message", [("node", .string(node)), ("n", .integer(Int64(clamping: number))), ("sent", .integer(sent))])
    }
}
