import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import SMQBroker
import TestSupport
import Testing

/// What a node says of links that come to nothing.
@Suite struct LinkWarningTests {
    private final class Warnings: Sendable {
        let said = Locked<[(text: String, metadata: Logger.Metadata)]>([])
    }

    /// Keeps warnings.
    private struct Recorder: LogHandler {
        let warnings: Warnings
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(
            level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String, file: String,
            function: String, line: UInt
        ) {
            guard level >= .warning else { return }
            warnings.said.withLock { $0.append((message.description, metadata ?? [:])) }
        }
    }

    /// Who sends garbage again and again fills no log.
    @Test func oneWarningForOneAddressAndReason() async throws {
        let warnings = Warnings()
        let node = try await TestNode.start(
            peers: [], logger: Logger(label: "test") { _ in Recorder(warnings: warnings) })
        for _ in 0..<5 {
            let connection = try await RawConnection.connect(port: node.links.port)
            try await connection.send("GET / HTTP/1.1\r\nHost: node\r\n\r\n")
            try await connection.closed()
        }
        try await eventually("all have ended") {
            try await node.cluster.statistics.closed[.protocolViolation] == 5
        }
        let said = warnings.said.withLock { $0 }
        #expect(said.map(\.text) == ["link ended"])
        #expect(said.first?.metadata == ["reason": "protocol-violation", "address": "127.0.0.1"])
        await node.stop()
    }
}
