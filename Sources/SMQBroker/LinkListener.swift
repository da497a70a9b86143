import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import Logging
import NIOCore
import NIOPosix

/// Takes links from other nodes.
struct LinkListener: Sendable {
    let address: ListenAddress
    let channel: any Channel

    /// Begins to listen on the broker's event loop.
    static func start(
        for cluster: SMQBroker.Cluster, eventLoop: any EventLoop, core: NIOLoopBoundBox<SMQBrokerCore>, logger: Logger
    ) async throws(DeviceError) -> LinkListener {
        let address = cluster.listen
        let (tls, timeout) = (cluster.tls?.server, cluster.settings.link.handshake)
        let bootstrap = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: LinkChannel.receiveAllocator)
            .childChannelOption(LinkChannel.userTimeoutOption, value: LinkChannel.userTimeout)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = channel.remoteAddress?.plainAddress ?? "unknown"
                    if let tls {
                        let handler = try tls.makeHandler(client: peer, timeout: timeout) { result in
                            guard case .failure(let error) = result else { return }
                            logger.debug("no secure link", metadata: ["address": "\(peer)", "error": "\(error)"])
                        }
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    let handler = SMQBrokerHandler(core.value, linkTo: peer, dialed: nil)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        do {
            let channel = try await bootstrap.bind(host: address.host, port: address.port).get()
            let bound = ListenAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
            return LinkListener(address: bound, channel: channel)
        } catch {
            throw address.explain(error, tool: "ss -ltnp", flag: "--link-port")
        }
    }
}

/// What the sockets of links have in common.
enum LinkChannel {
    static let receiveAllocator = AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 4096, maximum: 128 << 10)
    static let userTimeoutOption = ChannelOptions.Types.SocketOption(
        level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT))
    /// When the kernel gives up what nobody acknowledges, in milliseconds; the link's own deadline comes first.
    static let userTimeout: ChannelOptions.Types.SocketOption.Value = 5000
}
