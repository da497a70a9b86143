import DeviceCore
import DeviceTransport
import TestSupport

@testable import LoRaGateway

/// A running ear for forwarders whose lines are kept.
final class GatewayRun: Sendable {
    private let text = Locked("")
    private let ended = Locked(false)

    var lines: [String] { text.withLock { $0.split(separator: "\n").map(String.init) } }

    /// Runs it for as long as the body takes, and returns all lines.
    static func lines(
        isJSON: Bool = false, maxGateways: Int = 1000,
        _ body: @Sendable @escaping (GatewayRun, _ port: Int) async throws -> Void
    ) async throws -> [String] {
        let run = GatewayRun()
        var options = ForwarderEarOptions()
        options.listen = ListenAddress(host: "127.0.0.1", port: 0)
        options.isJSON = isJSON
        options.maxGateways = maxGateways
        let gateway = ForwarderEar(options: options) { part in run.text.withLock { $0 += part } }
        // Cancelling is to the program what a signal is.
        let task = Task { try await gateway.run() }
        defer { task.cancel() }
        try await eventually("the gateway listens") { run.port != nil }
        try await body(run, run.port ?? 0)
        task.cancel()
        try await within { try await task.value }
        return run.lines
    }

    /// The port in the first line.
    private var port: Int? {
        guard let line = lines.first, let start = line.firstRange(of: "127.0.0.1:") else { return nil }
        return Int(line[start.upperBound...].prefix { $0.isNumber })
    }

    /// Waits for a line with that in it.
    func wait(for part: String) async throws {
        try await eventually(part) { self.lines.contains { $0.contains(part) } }
    }
}
