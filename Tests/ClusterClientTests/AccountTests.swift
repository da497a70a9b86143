import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import Logging
import NIOCore
import SMQBroker
import TestSupport
import Testing

/// Clients of a broker that has an account file.
@Suite struct AccountTests {
    private func write(_ text: String, to path: String, mode: mode_t = 0o600) throws {
        // A new file in the place of the old one, as editors do.
        let new = path + ".new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC, mode)
        try #require(descriptor >= 0)
        let bytes = Array(text.utf8)
        #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        fchmod(descriptor, mode)
        close(descriptor)
        #expect(rename(new, path) == 0)
    }

    private func node(_ file: AccountFile) async throws -> TestNode {
        try await TestNode.start {
            $0.authenticate = { file.authenticate($0) }
            $0.permit = { file.permits($0) }
        }
    }

    private func client(_ node: TestNode, _ uid: String, _ password: String?) throws -> TestClient {
        try TestClient(node.port, uid) {
            guard let password else { return }
            $0.credentials = { seed, _ in
                try LEDContract.credentials(password: password, seed: seed, sha1: OpenSSLCrypto().sha1)
            }
        }
    }

    @Test func accountsDecideWhoConnectsAndPublishes() async throws {
        let directory = try TemporaryDirectory()
        let path = directory("accounts.json")
        try write(
            """
            {"accounts": [{"uid": "lamp-*", "password": "one", "publish": "/m2m/*"}, {"uid": "reader"}]}
            """, to: path)
        let file = try AccountFile(path, logger: Logger(label: "test"))
        let node = try await node(file)
        let following = Task { await file.follow(for: node.broker, every: .milliseconds(20)) }
        defer { following.cancel() }
        let reader = try client(node, "reader", nil)
        let topic = reader.client.subscribe(to: "/m2m/temp")
        try await reader.connected()
        let lamp = try client(node, "lamp-1", "one")
        try await lamp.connected()
        try await eventually("the subscription") { await node.broker.snapshot().topics >= 1 }
        try await lamp.client.publish(ByteBuffer(string: "21"), to: .topic("/m2m/temp"))
        let text = try await within {
            for await message in topic { return String(buffer: message.payload) }
            return "nothing"
        }
        #expect(text == "21")
        // The first publish asks for the topic; who asks again knows the answer.
        try? await lamp.client.publish(ByteBuffer(string: "x"), to: .topic("/secret"))
        try await eventually("the denial") { await node.broker.snapshot().statistics.denied == 1 }
        try await eventually("the client's knowledge of it") {
            do throws(DeviceError) {
                try lamp.client.publishNow(ByteBuffer(string: "x"), to: .topic("/secret"))
                return false
            } catch { return error.code == .refused }
        }

        let wrong = try client(node, "lamp-2", "two")
        #expect(try await wrong.end()?.code == .permission)
        let stranger = try client(node, "stranger", nil)
        #expect(try await stranger.end() != nil)

        // Who is connected by the old password has to go; whose account is the same stays. A broken file changes nothing.
        try write(#"{"accounts": [{"uid": "lamp-*", "password": "two"}, {"uid": "reader"}]}"#, to: path)
        try await lamp.disconnected()
        #expect(reader.client.isConnected)
        let late = try client(node, "lamp-3", "two")
        try await late.connected()
        try write("{", to: path)
        let later = try client(node, "lamp-4", "two")
        try await later.connected()
        #expect(reader.client.isConnected && late.client.isConnected)
        for client in [reader, lamp, late, later] { try await client.stop() }
        await node.stop()
    }

    @Test func aFileThatEverybodyReadsIsRefused() throws {
        let directory = try TemporaryDirectory()
        let path = directory("accounts.json")
        try write(#"{"accounts": []}"#, to: path, mode: 0o644)
        let error = #expect(throws: DeviceError.self) { try AccountFile(path, logger: Logger(label: "test")) }
        #expect(error?.code == .configuration && error?.hint?.contains("chmod 600") == true)
        let missing = #expect(throws: DeviceError.self) {
            try AccountFile(directory("none.json"), logger: Logger(label: "test"))
        }
        #expect(missing?.code == .notFound)
    }
}
