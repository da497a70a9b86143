import ArgumentParser
import DeviceCore
import NIOCore
import UnixSignals

/// `send`: publishes one number after the other. Each payload: number and time of sending, both 64 bits, big-endian.
///
/// Lines: `connected`, `moved`, `disconnected`; `published` n (it is now the level's promise), `refused` n (it is not);
/// at the end `summary`. SIGTERM ends the publishing, then what is under way is waited for.
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Publishes one number after the other.")

    @OptionGroup var client: ClientOptions

    @Option(help: "Messages per second.")
    var rate = 50.0

    @Option(help: "The first number.")
    var first: UInt64 = 1

    @Option(help: "How many; without end when not given.")
    var count: UInt64?

    @Option(name: .customLong("for"), help: "How long, for example 10s.")
    var duration: String?

    @Option(help: "How long to wait at the end for what is not delivered yet.")
    var settle = "15s"

    func validate() throws {
        guard rate >= 0.1, rate <= 10_000 else { throw ValidationError("--rate is a number from 0.1 to 10000") }
        guard first >= 1, first < 1 << 60 else { throw ValidationError("--first is a number from 1") }
    }

    func run() async throws {
        let journal = Journal()
        let device = try DeviceClient(client, resolver: DeviceClient.resolver(client))
        let limit = try duration.map { try DurationText.parse($0) }
        let settle = try DurationText.parse(settle)
        let firstConnection = BoundedStream<Void>(limit: 1)
        let running = Task { try await device.run() }
        let events = Task {
            await device.forEachEvent { event in
                note(event, in: journal)
                if case .connected = event { firstConnection.send(()) }
            }
        }
        // Before the first connection there is nothing whose loss would tell anything.
        let publishing = Task {
            for await _ in firstConnection { break }
            return try await publish(device, journal, limit)
        }
        let signals = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { publishing.cancel() }
        }
        // A client that gives up, for example because it is refused, must not leave the rig waiting.
        let watch = Task {
            do { try await running.value } catch {
                journal.add("failed", [("reason", .string("\(error)"))])
                publishing.cancel()
            }
        }
        let counts = try await publishing.value
        let undelivered = await device.settle(within: settle)
        journal.add(
            "summary",
            [
                ("published", .integer(Int64(clamping: counts.published))),
                ("refused", .integer(Int64(clamping: counts.refused))),
                ("undelivered", .integer(Int64(undelivered))),
            ])
        running.cancel()
        await watch.value
        events.cancel()
        signals.cancel()
    }

    private func publish(
        _ device: DeviceClient, _ journal: Journal, _ limit: Duration?
    ) async throws -> (published: UInt64, refused: UInt64) {
        var counts = (published: UInt64(0), refused: UInt64(0))
        let clock = ContinuousClock()
        let start = clock.now
        var sent: UInt64 = 0
        while !Task.isCancelled, sent < count ?? .max {
            let due = Duration.seconds(Double(sent) / rate)
            if let limit, due >= limit { break }
            // Absolute, so that the rate holds whatever a publish takes.
            do { try await clock.sleep(until: start.advanced(by: due), tolerance: .zero) } catch { break }
            let number = first + sent
            sent += 1
            var payload = ByteBuffer()
            payload.writeInteger(number)
            payload.writeInteger(Journal.now)
            do {
                try await device.publish(payload, to: client.topic)
                counts.published += 1
                journal.add("published", [("n", .integer(Int64(clamping: number)))])
            } catch {
                counts.refused += 1
                journal.add("refused", [("n", .integer(Int64(clamping: number))), ("reason", .string(error.message))])
            }
        }
        return counts
    }
}

/// Writes an event of the connection.
func note(_ event: DeviceClient.Event, in journal: Journal, observing: String? = nil) {
    let observed: [(String, JSONValue)] = observing.map { [("observing", .string($0))] } ?? []
    switch event {
    case .connected(let node): journal.add("connected", [("node", .string(node))] + observed)
    case .moved(let from, let to, let reason):
        journal.add("moved", [("from", .string(from)), ("to", .string(to)), ("reason", .string(reason))])
    case .notice(let text): journal.add("notice", [("text", .string(text))] + observed)
    case .disconnected(let node, let reason, let wasConnected):
        journal.add(
            "disconnected",
            [("node", .string(node)), ("reason", .string(reason)), ("wasConnected", .bool(wasConnected))] + observed)
    }
}
