import DeviceCore
import DeviceTransport
import NIOCore
import NIOPosix

/// A network server of Semtech's UDP protocol by hand: it knows the bytes of the protocol, and nothing of this
/// package's codec.
final class FakeGWMPServer: Sendable {
    private struct State {
        var isAnswering = true
        var pushes: [String] = []
        var pulls = 0
        var acks: [(token: [UInt8], json: String, source: SocketAddress)] = []
        var pullSource: SocketAddress?
        var sources: Set<Int> = []
        var euis: Set<[UInt8]> = []
        var other = 0
        var losing = 0
    }

    private let state = Locked(State())
    private let listener: Locked<UDPListener?> = Locked(nil)
    let port: Int
    let host: String

    private init(host: String, port: Int) { (self.host, self.port) = (host, port) }

    static func start(host: String = "127.0.0.1", port: Int = 0) async throws -> FakeGWMPServer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let box = Locked<FakeGWMPServer?>(nil)
        let listener = try await UDPListener.start(on: ListenAddress(host: host, port: port), eventLoop: loop) {
            Receiver { box.withLock { $0 }?.receive($0) }
        }
        let server = FakeGWMPServer(host: host, port: listener.address.port)
        server.listener.withLock { $0 = listener }
        box.withLock { $0 = server }
        return server
    }

    func stop() async { await listener.withLock { $0 }?.close() }

    /// Whether it acknowledges; a silent server loses what comes.
    func answer(_ isAnswering: Bool) { state.withLock { $0.isAnswering = isAnswering } }

    /// Loses so many PUSH_DATA with frames; PULL_DATA is answered.
    func lose(_ count: Int) { state.withLock { $0.losing = count } }

    /// The JSON of every PUSH_DATA that was acknowledged.
    var pushes: [String] { state.withLock { $0.pushes } }
    var pulls: Int { state.withLock { $0.pulls } }
    var acks: [(token: [UInt8], json: String, source: SocketAddress)] { state.withLock { $0.acks } }
    /// Source ports that PUSH_DATA, PULL_DATA and TX_ACK came from.
    var sources: Set<Int> { state.withLock { $0.sources } }
    var euis: Set<[UInt8]> { state.withLock { $0.euis } }
    var pullSource: SocketAddress? { state.withLock { $0.pullSource } }

    /// Elements of `rxpk` in the order of their arrival.
    var frames: [JSONValue] {
        pushes.compactMap { try? JSONValue(parsing: $0, options: .message) }
            .flatMap { $0["rxpk"]?.arrayValue ?? [] }
    }

    /// The frame counters of the frames, which the test radio puts into bytes 6 and 7.
    var numbers: [Int] {
        frames.compactMap { $0["data"]?.stringValue.flatMap { Base64.decode($0) } }
            .map { Int($0[6]) | Int($0[7]) << 8 }
    }

    /// The same, each once, in the order of their first arrival: a gateway may repeat what was acknowledged too late.
    var firstNumbers: [Int] {
        var seen: Set<Int> = []
        return numbers.filter { seen.insert($0).inserted }
    }

    /// Sends a PULL_RESP to where the last PULL_DATA came from.
    func send(_ json: String, token: [UInt8]) {
        guard let target = pullSource else { return }
        let bytes = ByteBuffer(bytes: [2] + token + [3] + Array(json.utf8))
        listener.withLock { $0 }?.send([UDPDatagram(remoteAddress: target, data: bytes)])
    }

    /// Sends any bytes there.
    func send(raw bytes: [UInt8]) {
        guard let target = pullSource else { return }
        listener.withLock { $0 }?.send([UDPDatagram(remoteAddress: target, data: ByteBuffer(bytes: bytes))])
    }

    private func receive(_ datagram: UDPDatagram) -> [UInt8]? {
        let bytes = Array(datagram.data.readableBytesView)
        return state.withLock { state in
            guard bytes.count >= 12, bytes[0] == 2 else {
                state.other += 1
                return nil
            }
            state.sources.insert(datagram.remoteAddress.port ?? 0)
            state.euis.insert(Array(bytes[4..<12]))
            guard state.isAnswering else { return nil }
            switch bytes[3] {
            case 0:
                if state.losing > 0, String(decoding: bytes, as: UTF8.self).contains("rxpk") {
                    state.losing -= 1
                    return nil
                }
                state.pushes.append(String(decoding: bytes[12...], as: UTF8.self))
                return [2, bytes[1], bytes[2], 1]
            case 2:
                state.pulls += 1
                state.pullSource = datagram.remoteAddress
                return [2, bytes[1], bytes[2], 4]
            case 5:
                let json = String(decoding: bytes[12...], as: UTF8.self)
                state.acks.append(([bytes[1], bytes[2]], json, datagram.remoteAddress))
                return nil
            default:
                state.other += 1
                return nil
            }
        }
    }

    private final class Receiver: UDPReceiver {
        private let take: (UDPDatagram) -> [UInt8]?
        init(_ take: @escaping (UDPDatagram) -> [UInt8]?) { self.take = take }
        func receive(_ datagram: UDPDatagram, answers: inout [UDPDatagram]) {
            guard let bytes = take(datagram) else { return }
            answers.append(UDPDatagram(remoteAddress: datagram.remoteAddress, data: ByteBuffer(bytes: bytes)))
        }
        func receiveComplete() {}
    }
}
