@testable import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import SMQBroker
import Synchronization
import TestSupport
import Testing

@Suite struct SMQClientFailureTests {
    // MARK: Not a broker

    @Test(arguments: [SMQFraming.raw, .webSocket]) func nothingListens(_ framing: SMQFraming) async throws {
        let reserved = try ReservedPort()
        let port = reserved.port
        let client = try TestClient(port, framing: framing)
        let (reason, hint) = try await client.disconnected()
        #expect(reason.contains("127.0.0.1:\(port)") && reason.contains("refused"))
        #expect(hint.contains("port"))
        try await client.stop()
        withExtendedLifetime(reserved) {}
    }

    @Test func aNameThatDoesNotExist() async throws {
        let client = try TestClient(1) {
            if let url = try? BrokerURL("smq://no-such-host.invalid") { $0.brokers = [url] }
        }
        let (reason, hint) = try await client.disconnected()
        #expect(reason.contains("no-such-host.invalid") && !hint.isEmpty)
        try await client.stop()
    }

    @Test(
        arguments: [SMQFraming.raw, .webSocket],
        [
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
            "HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "+OK ready\r\n", "\u{0}\u{3}\u{0C}",
        ])
    func anotherServer(_ framing: SMQFraming, _ answer: String) async throws {
        let server = try await FakeServer.start { connection in
            // Servers of other protocols speak first.
            if answer.hasPrefix("HTTP") { _ = try await connection.take(through: "\r\n\r\n") }
            try await connection.send(answer)
            try await connection.closed()
        }
        let client = try TestClient(server.port, framing: framing)
        let (reason, hint) = try await client.disconnected()
        #expect(hint.contains("SMQ broker"), "\(reason)")
        #expect(!client.client.isConnected)
        try await client.stop()
        await server.stop()
    }

    /// Something that accepts and never answers.
    @Test(arguments: [SMQFraming.raw, .webSocket]) func aSilentPort(_ framing: SMQFraming) async throws {
        let server = try await FakeServer.start { try await $0.closed() }
        let client = try TestClient(server.port, framing: framing) {
            $0.attempts.handshakeDeadline = .milliseconds(100)
            $0.attempts.connectDeadline = .milliseconds(200)
        }
        let (reason, hint) = try await client.disconnected()
        #expect(reason.contains("within"), "\(reason)")
        #expect(!hint.isEmpty)
        try await client.stop()
        await server.stop()
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func oneThatHangsUp(_ framing: SMQFraming) async throws {
        let server = try await FakeServer.start { _ = try await $0.take(through: "\r\n\r\n") }
        let client = try TestClient(server.port, framing: framing)
        for _ in 0..<3 { #expect(try await client.disconnected().reason.contains("lost")) }
        try await client.stop()
        await server.stop()
    }

    /// A node that is frozen: the connection stays, nothing comes any more.
    @Test func aSilentBrokerIsLeft() async throws {
        let server = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 9)
            try await connection.closed()
        }
        let client = try await TestClient.connected(server.port) {
            $0.liveness.pingAfter = .milliseconds(50)
            $0.liveness.pingTimeout = .milliseconds(50)
        }
        #expect(try await client.disconnected().reason.contains("ping"))
        try await client.connected()
        try await client.stop()
        await server.stop()
    }

    /// A broker could fill the tables of names by answers that nobody waits for.
    @Test func answersThatNobodyAskedForAreDropped() async throws {
        let server = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 9)
            guard case .request(.subscribe, _) = try await connection.frame() else { return }
            try await connection.reply { output in
                for (index, type) in [SMQMessageType.suback, .createack, .createsuback].enumerated() {
                    let name = ByteBuffer(string: "never asked \(index)")
                    output.writeSMQAck(type, accepted: true, id: UInt32(100 + index), name: name)
                    output.writeSMQAck(type, accepted: false, id: 0, name: name)
                }
                // Asked for once, answered twice.
                for id: UInt32 in [7, 8] {
                    output.writeSMQAck(.suback, accepted: true, id: id, name: ByteBuffer(string: "wanted"))
                }
                output.writeSMQPublish(to: 7, from: 3, subtopic: 0, payload: ByteBuffer(string: "after all"))
            }
            try await connection.closed()
        }
        let client = try TestClient(server.port)
        let messages = client.client.subscribe(to: "wanted")
        #expect(try await next(messages).payload == ByteBuffer(string: "after all"))
        client.client.state.withLock { state in
            #expect(state.topicNames == [7: "wanted"])
            #expect(Set(state.topics.keys) == ["wanted"])
            #expect(state.subtopics.isEmpty && state.subtopicNames.isEmpty && state.deniedSubscriptions.isEmpty)
        }
        try await client.stop()
        await server.stop()
    }

    // MARK: Refused

    @Test(arguments: [SMQFraming.raw, .webSocket]) func credentials(_ framing: SMQFraming) async throws {
        let seen = Locked<[String]>([])
        let node = try await TestNode.start { configuration in
            configuration.authenticate = { request in
                seen.withLock { $0.append("\(request.seed) \(request.address)") }
                return String(buffer: request.credentials) == "\(request.seed)" ? .accept : .refuse(.badCredentials, "")
            }
        }
        let good = try await TestClient.connected(node.port, "good-client", framing: framing) {
            $0.credentials = { seed, address in
                seen.withLock { $0.append("\(seed) \(address)") }
                return Array("\(seed)".utf8)
            }
        }
        let both = seen.withLock { $0 }
        #expect(both.count == 2 && both.first == both.last && both.first?.hasSuffix(" 127.0.0.1") == true)
        let bad = try TestClient(node.port, "bad-client", framing: framing) { $0.credentials = { _, _ in [1, 2, 3] } }
        let error = try #require(try await bad.end())
        #expect(error.code == .permission && error.exitStatus == 77)
        struct NoKey: Error {}
        let failing = try TestClient(node.port, "no-key", framing: framing) {
            $0.credentials = { _, _ in throw NoKey() }
        }
        #expect(try await failing.end()?.code == .configuration)
        let short = try TestClient(node.port, "short", framing: framing)
        #expect(try await short.end()?.hint?.contains("6 to 255") == true)
        try await good.stop()
        await node.stop()
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func theTokenOfTheListener(_ framing: SMQFraming) async throws {
        let node = try await TestNode.start(access: HTTPAccessPolicy(token: "secret"))
        let without = try TestClient(node.port, framing: framing)
        let error = try #require(try await without.end())
        #expect(error.code == .permission && error.hint?.contains("token") == true)
        let with = try TestClient(node.port, framing: framing, path: "/smq.lsp?token=secret")
        try await with.connected()
        try await with.stop()
        await node.stop()
    }

    @Test func settingsWithoutSense() async throws {
        let none = SMQClient(SMQClientConfiguration(brokers: [], uid: [1, 2, 3, 4, 5, 6]))
        let error = await #expect(throws: DeviceError.self) { try await none.run() }
        #expect(error?.code == .invalidArgument)
        let secure = try TestClient(1) {
            if let url = try? BrokerURL("smqs://localhost") { $0.brokers = [url] }
            $0.tls.trustRoots = .file("/nowhere/ca.pem")
        }
        #expect(try await secure.end()?.description.contains("/nowhere/ca.pem") == true)
    }

    /// Credentials that come when their session is over must not go to the next one, whose seed is another.
    @Test func lateCredentials() async throws {
        let (first, second) = (BoundedStream<Void>(limit: 1), BoundedStream<Void>(limit: 1))
        let attempts = Atomic<UInt32>(0)
        let server = try await FakeServer.start { connection in
            let attempt = attempts.wrappingAdd(1, ordering: .relaxed).newValue
            _ = try await connection.take(through: "\r\n\r\n")
            try await connection.reply { $0.writeSMQInit(seed: attempt, address: "") }
            guard attempt > 1 else { return }  // hangs up while the credentials are made
            guard case .connect(_, _, _, let credentials, _) = try await connection.frame() else { return }
            #expect(String(buffer: credentials) == "for \(attempt)")
            try await connection.reply { $0.writeSMQConnack(.accepted, etid: 9) }
            try await connection.closed()
        }
        let client = try TestClient(server.port) {
            $0.credentials = { seed, _ in
                if seed == 1 { for await _ in first { break } }
                if seed == 2 {
                    // The first is ready exactly now.
                    first.send(())
                    try await Task.sleep(for: .milliseconds(100))
                    second.send(())
                }
                return Array("for \(seed)".utf8)
            }
        }
        try await client.connected()
        try await client.stop()
        await server.stop()
    }
}
