import ArgumentParser
import DeviceCore
import DeviceTransport
import TestSupport
import Testing

@testable import LoRaGateway

/// The radio's counter passes 2^32 microseconds while the program runs, in real time.
@Suite(.timeLimit(.minutes(5))) struct CounterWrapTests {
    @Test func theFlagIsChecked() throws {
        func start(_ text: String) throws -> UInt64? {
            try LoRaGatewayCommand.parse(["--simulate", "--counter-start", text]).serviceOptions()?.counterStart
        }
        #expect(try start("wrap") == (1 << 32) - 15_000_000)
        #expect(try start("4294967000") == 4_294_967_000)
        for text in ["-1", "x", "281474976710656", ""] {
            #expect(throws: (any Error).self) { try start(text) }
        }
    }

    /// Answers before and after it, those that are asked for before it and are due after it among them.
    @Test(arguments: ["gwmp", "lns"])
    func framesAndAnswersGoOn(_ server: String) async throws {
        var options = GatewayServiceOptions()
        options.isSimulated = true
        options.devices = 6
        options.interval = .seconds(1)
        options.counterStart = (1 << 32) - 15_000_000
        options.builtInProtocol = server
        options.page = ListenAddress(host: "127.0.0.1", port: 0)
        options.isJSON = true
        let text = Locked("")
        let service = GatewayService(options: options) { part in text.withLock { $0 += part } }
        let task = Task { try await service.run() }
        defer { task.cancel() }
        struct Seen {
            var before: [String] = []
            var after: [String] = []
            var hasWrapped = false
        }
        @Sendable func seen() -> Seen {
            var seen = Seen()
            for line in text.withLock({ $0 }).split(separator: "\n") {
                guard let event = try? JSONValue(parsing: line, options: .message) else { continue }
                if event["event"] == "rxpk", let tmst = event["rxpk"]?["tmst"]?.integerValue {
                    seen.hasWrapped = tmst < 1 << 31
                    if seen.hasWrapped { seen.after.append("heard") } else { seen.before.append("heard") }
                } else if event["event"] == "downlink", let fate = event["fate"]?.stringValue {
                    if seen.hasWrapped { seen.after.append(fate) } else { seen.before.append(fate) }
                }
            }
            return seen
        }
        try await eventually("answers before and after") {
            let seen = seen()
            return seen.before.contains("sent") && seen.after.count { $0 == "sent" } >= 5
                && seen.after.count { $0 == "heard" } >= 10
        }
        let all = seen()
        // A wrong guess of the counter's high half would be 71 minutes off, or in the past.
        #expect(!all.before.contains("too-early") && !all.after.contains("too-early"))
        let late = all.after.count { $0 == "too-late" }
        #expect(late * 4 < all.after.count, "\(all.after)")
        task.cancel()
        try await within { try await task.value }
    }
}
