import DeviceCore
import DeviceProtocols
import NIOCore
import NIOPosix

/// The UDP sockets to one server: one for each family of addresses, opened when it is needed, with a source port that
/// stays until they are renewed. Not connected, so that up and down ports may differ while the source is one.
final class GWMPSockets {
    private let eventLoop: any EventLoop
    private let receive: (ByteBuffer, IPAddress) -> Void
    private let failed: (any Error) -> Void
    private var channels: [Bool: any Channel] = [:]
    private var opening: Set<Bool> = []
    private var isClosed = false
    /// Datagrams for a socket that is not open yet; the oldest makes room.
    private var waiting: [(ByteBuffer, Endpoint)] = []
    private static let waitingLimit = 64
    /// The last target as the socket wants it: it is nearly always the same.
    private var target: (endpoint: Endpoint, address: SocketAddress)?
    /// Datagrams that the system did not take.
    private(set) var unsent: UInt64 = 0

    init(
        eventLoop: any EventLoop, receive: @escaping (ByteBuffer, IPAddress) -> Void,
        failed: @escaping (any Error) -> Void
    ) {
        self.eventLoop = eventLoop
        self.receive = receive
        self.failed = failed
    }

    /// The local port of the socket to IPv4 or IPv6, when it is open.
    func port(isIPv4: Bool) -> Int? { channels[isIPv4]?.localAddress?.port }

    /// Writes a datagram; ``flush()`` sends it.
    func write(_ datagram: ByteBuffer, to endpoint: Endpoint) {
        guard !isClosed else { return }
        let isIPv4 = endpoint.address.isIPv4
        guard let channel = channels[isIPv4] else {
            if waiting.count >= Self.waitingLimit {
                waiting.removeFirst()
                unsent += 1
            }
            waiting.append((datagram, endpoint))
            return open(isIPv4)
        }
        // A burst fills the buffer before its end.
        if !channel.isWritable { channel.flush() }
        guard channel.isWritable, let address = socketAddress(endpoint) else {
            unsent += 1
            return
        }
        channel.write(AddressedEnvelope(remoteAddress: address, data: datagram), promise: nil)
    }

    func flush() { for channel in channels.values { channel.flush() } }

    /// Closes the sockets; the next datagram opens new ones.
    func renew() {
        for channel in channels.values { channel.close(promise: nil) }
        channels = [:]
        target = nil
    }

    func close() {
        isClosed = true
        waiting = []
        renew()
    }

    private func open(_ isIPv4: Bool) {
        guard opening.insert(isIPv4).inserted else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let bootstrap = DatagramBootstrap(group: eventLoop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .channelOption(.maxMessagesPerRead, value: 16)
            .channelOption(
                .writeBufferWaterMark, value: ChannelOptions.Types.WriteBufferWaterMark(low: 1 << 19, high: 1 << 20)
            )
            .channelOption(.socketOption(.so_sndbuf), value: 1 << 20)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = GWMPSocketHandler { data, source in bound.value.receive(data, source) }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        bootstrap.bind(host: isIPv4 ? "0.0.0.0" : "::", port: 0).hop(to: eventLoop).assumeIsolated().whenComplete {
            result in
            self.opened(isIPv4, result)
        }
    }

    private func opened(_ isIPv4: Bool, _ result: Result<any Channel, any Error>) {
        opening.remove(isIPv4)
        switch result {
        case .success(let channel):
            guard !isClosed else { return channel.close(promise: nil) }
            channels[isIPv4] = channel
            let ready = waiting.filter { $0.1.address.isIPv4 == isIPv4 }
            waiting.removeAll { $0.1.address.isIPv4 == isIPv4 }
            for (datagram, endpoint) in ready { write(datagram, to: endpoint) }
            channel.flush()
        case .failure(let error):
            waiting.removeAll { $0.1.address.isIPv4 == isIPv4 }
            failed(error)
        }
    }

    private func socketAddress(_ endpoint: Endpoint) -> SocketAddress? {
        if let target, target.endpoint == endpoint { return target.address }
        let text = endpoint.address.description
        let address =
            endpoint.address.zone.isEmpty
            ? try? SocketAddress(ipAddress: text, port: endpoint.port)
            : try? SocketAddress.makeAddressResolvingHost(text, port: endpoint.port)
        target = address.map { (endpoint, $0) }
        return address
    }
}

/// Hands datagrams on with the address that they came from.
private final class GWMPSocketHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let receive: (ByteBuffer, IPAddress) -> Void
    /// The last sender: it is nearly always the same.
    private var sender: (remote: SocketAddress, address: IPAddress)?

    init(_ receive: @escaping (ByteBuffer, IPAddress) -> Void) { self.receive = receive }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let address = address(of: envelope.remoteAddress) else { return }
        receive(envelope.data, address)
    }

    private func address(of remote: SocketAddress) -> IPAddress? {
        if let sender, sender.remote == remote { return sender.address }
        guard let text = remote.ipAddress, let address = IPAddress(text) else { return nil }
        sender = (remote, address)
        return address
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Of one datagram, for instance one to a port that is closed: missing acknowledgements tell the same.
    }
}
