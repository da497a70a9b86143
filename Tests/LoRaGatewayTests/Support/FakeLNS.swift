import DeviceCore
import DeviceTransport
import NIOCore
import TestSupport

/// A Basics Station server by hand: WebSocket frames and JSON as text, nothing of this package's codec.
final class FakeLNS: Sendable {
    private struct State {
        var texts: [String] = []
        var connections: [RawConnection] = []
        var heads: [String] = []
        var isAnsweringPings = true
        var refusal: String?
        var address: String?
    }

    private let state = Locked(State())
    private let server: Locked<FakeServer?> = Locked(nil)
    private let ports = Locked(0)
    var port: Int { ports.withLock { $0 } }

    static let routerConfig = """
        {"msgtype":"router_config","NetID":null,"JoinEui":null,"region":"EU863","hwspec":"sx1301/1",\
        "freq_range":[863000000,870000000],"DRs":[[12,125,0],[11,125,0],[10,125,0],[9,125,0],[8,125,0],[7,125,0],\
        [7,250,0],[0,0,0],[-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0]],\
        "nocca":true,"nodc":true,"nodwell":true,"MuxTime":1700000000.5}
        """

    /// - Parameter tls: secures all connections.
    static func start(tls: TLSServerContext? = nil) async throws -> FakeLNS {
        let fake = FakeLNS()
        let server = try await FakeServer.start(
            prepare: { channel in
                guard let tls else { return }
                try channel.pipeline.syncOperations.addHandler(
                    try tls.makeHandler(client: "test", timeout: .seconds(30)) { _ in })
            }
        ) { [weak fake] connection in try await fake?.serve(connection) }
        fake.state.withLock { $0.address = "\(tls == nil ? "ws://127.0.0.1" : "wss://localhost"):\(server.port)/mux" }
        fake.server.withLock { $0 = server }
        fake.ports.withLock { $0 = server.port }
        return fake
    }

    func stop() async {
        dropAll()
        await server.withLock { $0 }?.stop()
    }

    /// Messages of the gateway after `version`.
    var texts: [String] { state.withLock { $0.texts } }
    var values: [JSONValue] { texts.compactMap { try? JSONValue(parsing: $0, options: .message) } }
    /// The heads of the requests.
    var heads: [String] { state.withLock { $0.heads } }
    func answerPings(_ isAnswering: Bool) { state.withLock { $0.isAnsweringPings = isAnswering } }
    /// The discovery answers with that error.
    func refuse(_ error: String?) { state.withLock { $0.refusal = error } }

    /// The discovery names that address.
    func name(_ address: String) { state.withLock { $0.address = address } }

    /// Sends a message on the newest connection.
    func send(_ text: String) async throws {
        try await state.withLock { $0.connections.last }?
            .send(WebSocketBytes.frame(.text, ByteBuffer(string: text), isMasked: false))
    }

    func dropAll() {
        for connection in state.withLock({ $0.connections }) { connection.close() }
        state.withLock { $0.connections = [] }
    }

    private func serve(_ connection: RawConnection) async throws {
        let head = try await connection.take(through: "\r\n\r\n")
        state.withLock { $0.heads.append(head) }
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key:") }
        let key = line?.split(separator: " ").last.map(String.init) ?? ""
        let accept = Base64.encode(try OpenSSLCrypto().sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
        try await connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(accept)\r\n\r\n")
        let isDiscovery = head.hasPrefix("GET /router-info ")
        if !isDiscovery { state.withLock { $0.connections.append(connection) } }
        while true {
            let (opcode, payload) = try await connection.take { Self.takeMasked(&$0) }
            switch opcode {
            case .text where isDiscovery:
                state.withLock { $0.texts.append(String(buffer: payload)) }
                let error = state.withLock { $0.refusal }
                let answer =
                    error.map { #"{"router":"aa55:5a00:0:101","error":"\#($0)"}"# }
                    ?? #"{"router":"aa55:5a00:0:101","muxs":"::1","uri":"\#(state.withLock { $0.address } ?? "")"}"#
                try await connection.send(WebSocketBytes.frame(.text, ByteBuffer(string: answer), isMasked: false))
            case .text:
                let text = String(buffer: payload)
                state.withLock { $0.texts.append(text) }
                guard text.contains("\"version\"") else { continue }
                try await connection.send(
                    WebSocketBytes.frame(.text, ByteBuffer(string: Self.routerConfig), isMasked: false))
            case .ping where state.withLock { $0.isAnsweringPings }:
                try await connection.send(WebSocketBytes.frame(.pong, payload, isMasked: false))
            case .close: return
            default: break
            }
        }
    }

    /// A client's frame, unmasked.
    private static func takeMasked(_ buffer: inout ByteBuffer) -> (WebSocketBytes.Opcode, ByteBuffer)? {
        var rest = buffer
        guard let first = rest.readInteger(as: UInt8.self), let opcode = WebSocketBytes.Opcode(rawValue: first & 0x0F),
            let second = rest.readInteger(as: UInt8.self), second & 0x80 != 0
        else { return nil }
        var length = Int(second & 0x7F)
        if length == 126 {
            guard let long = rest.readInteger(as: UInt16.self) else { return nil }
            length = Int(long)
        }
        guard let mask = rest.readBytes(length: 4), let masked = rest.readBytes(length: length) else { return nil }
        buffer = rest
        return (opcode, ByteBuffer(bytes: masked.enumerated().map { $1 ^ mask[$0 % 4] }))
    }
}
