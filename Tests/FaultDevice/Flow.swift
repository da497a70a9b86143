import ArgumentParser
import ClusterClient
import DeviceCore
import DeviceProtocols
import Glibc
import NIOCore

/// `flow`: one client publishes as fast as it may, another one receives, for some seconds; for script/bench-client.
///
/// Prints `flow` with the messages published and received in that time, and this process's processor time.
struct Flow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measures live messages from client to client.")

    @OptionGroup var options: ClientOptions

    @Option(help: "Payload in bytes.")
    var size = 256

    @Option(name: .customLong("for"), help: "Seconds.")
    var seconds = 3

    func run() async throws {
        let (publisher, subscriber) = (SMQClient(try configuration()), SMQClient(try configuration()))
        let messages = subscriber.subscribe(to: options.topic, limit: 1 << 20)
        let received = Locked(0)
        let running = [publisher, subscriber].map { client in Task { try await client.run() } }
        let counting = Task {
            for await _ in messages { received.withLock { $0 += 1 } }
        }
        for client in [publisher, subscriber] {
            for _ in 0..<500 where !client.isConnected { try await Task.sleep(for: .milliseconds(10)) }
        }
        guard publisher.isConnected, subscriber.isConnected else { throw ExitCode(69) }
        let payload = ByteBuffer(repeating: 0x2A, count: max(0, size))
        // The subscription holds, and the topic has its id.
        for _ in 0..<500 where received.withLock({ $0 }) == 0 {
            try await publisher.publish(payload, to: .topic(options.topic))
            try await Task.sleep(for: .milliseconds(10))
        }
        let (start, cpu, before) = (Journal.now, processorTime(), received.withLock { $0 })
        var published = 0
        while Journal.now - start < Int64(seconds) * 1_000_000_000 {
            for _ in 0..<256 { try await publisher.publish(payload, to: .topic(options.topic)) }
            published += 256
        }
        // What is on its way still counts, but not the time in which nothing comes any more.
        var end = Journal.now
        var last = received.withLock { $0 }
        for _ in 0..<100 where last - before < published {
            try await Task.sleep(for: .milliseconds(20))
            let now = received.withLock { $0 }
            if now != last { end = Journal.now }
            last = now
        }
        let used = processorTime() - cpu
        Journal().add(
            "flow",
            [
                ("secure", .bool(options.ca != nil)), ("size", .integer(Int64(size))),
                ("published", .integer(Int64(published))),
                ("received", .integer(Int64(last - before))), ("dropped", .integer(Int64(clamping: messages.dropped))),
                ("perSecond", .integer(Int64(Double(last - before) / (Double(end - start) / 1e9)))),
                ("nanosecondsOfProcessor", .integer(used / Int64(max(1, last - before)))),
            ])
        for task in running { task.cancel() }
        counting.cancel()
        for task in running { _ = try? await task.value }
    }

    private func configuration() throws -> SMQClientConfiguration {
        let scheme = options.ca == nil ? "smq" : "smqs"
        var configuration = SMQClientConfiguration(
            brokers: try options.node.map { try BrokerURL("\(scheme)://\($0)") }, uid: randomUID())
        if let ca = options.ca { configuration.tls.trustRoots = .file(ca) }
        return configuration
    }

    private func processorTime() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
