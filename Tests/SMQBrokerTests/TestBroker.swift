import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport

/// A broker on a port of loopback.
struct TestBroker {
    let broker: SMQBroker
    let listener: HTTPListener
    var port: Int { listener.address.port }

    static func start(
        port: Int = 0, access: HTTPAccessPolicy = HTTPAccessPolicy(),
        _ set: (inout SMQBroker.Configuration) -> Void = { _ in }
    ) async throws -> TestBroker {
        var configuration = SMQBroker.Configuration()
        // Generous, for machines that have much else to do.
        configuration.limits.handshake = .seconds(30)
        set(&configuration)
        var limits = HTTPListener.Limits()
        limits.head = .seconds(60)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let broker = SMQBroker(configuration, eventLoop: loop, logger: Logger(label: "test"))
        let listener = try await HTTPListener.start(
            on: ListenAddress(host: "127.0.0.1", port: port), eventLoop: loop, routes: broker.routes(), access: access,
            limits: limits, logger: Logger(label: "test"))
        return TestBroker(broker: broker, listener: listener)
    }

    func stop() async {
        await listener.close()
        await broker.shutDown()
    }
}

/// A SMQ client by hand, raw or on a WebSocket.
struct RawClient: Sendable {
    let connection: RawConnection
    let framing: SMQFraming
    var etid: UInt32 = 0

    /// Connects up to the Init.
    static func connect(
        _ broker: TestBroker, framing: SMQFraming = .raw, agent: String? = nil, wantsHead: Bool = false,
        reads: Bool = true
    ) async throws -> RawClient {
        let agent = agent.map { "User-Agent: \($0)" }
        if framing == .webSocket {
            let connection = try await RawConnection.webSocket(port: broker.port, headers: agent.map { [$0] } ?? [])
            return RawClient(connection: connection, framing: framing)
        }
        let connection = try await RawConnection.connect(port: broker.port, reads: reads)
        let header = (wantsHead ? "SendSmqHttpResponse: true\r\n" : "") + (agent.map { "\($0)\r\n" } ?? "")
        try await connection.send("GET /smq.lsp HTTP/1.1\r\nHost: 127.0.0.1\r\nSimpleMQ: 1\r\n\(header)\r\n")
        if wantsHead {
            let head = try await connection.take(through: "\r\n\r\n")
            guard head.hasPrefix("HTTP/1.1 200 OK\r\n"), head.contains("SmqBroker: true") else {
                throw Late(description: head)
            }
        }
        return RawClient(connection: connection, framing: framing)
    }

    /// A client whose session is open.
    static func open(
        _ broker: TestBroker, _ uid: String, framing: SMQFraming = .raw, agent: String? = nil
    ) async throws -> RawClient {
        var client = try await connect(broker, framing: framing, agent: agent)
        _ = try await client.frame()
        try await client.sendConnect(uid)
        guard case .connack(.accepted, let etid, _) = try await client.frame() else {
            throw Late(description: "refused")
        }
        client.etid = etid
        return client
    }

    func sendConnect(_ uid: String, credentials: String = "") async throws {
        try await send { $0.writeSMQConnect(uid: uid.utf8, credentials: credentials.utf8, information: "") }
    }

    func send(_ write: (inout ByteBuffer) -> Void) async throws {
        var raw = ByteBuffer()
        write(&raw)
        guard framing == .webSocket else { return try await connection.send(raw) }
        while let message = try raw.readSMQRawMessage() {
            try await connection.send(WebSocketBytes.frame(.binary, message))
        }
    }

    /// The next frame, as soon as it has come.
    func frame() async throws -> SMQFrame {
        if framing == .webSocket {
            let (opcode, message) = try await connection.takeFrame()
            guard opcode == .binary else { throw Late(description: "\(opcode)") }
            return try SMQFrame(message: message)
        }
        return try await connection.take {
            try $0.readSMQRawMessage().map { try SMQFrame(message: ByteBuffer(bytes: $0.readableBytesView)) }
        }
    }

    /// The id in the acknowledgement that is the next frame.
    func id(_ type: SMQMessageType, _ name: String) async throws -> UInt32 {
        try await send { $0.writeSMQ(type, text: name) }
        guard case .ack(_, true, let id, _) = try await frame() else { throw Late(description: "denied") }
        return id
    }

    /// Waits until the broker has handled everything that was sent before.
    func barrier() async throws {
        try await send { $0.writeSMQ(.ping) }
        while try await frame() != .pong {}
    }
}
