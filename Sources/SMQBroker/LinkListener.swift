import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import NIOCore
import NIOPosix

/// Takes links from other nodes.
struct LinkListener: Sendable {
    let address: ListenAddress
    let channel: any Channel

    /// Begins to listen on the broker's event loop.
    static func start(
        on address: ListenAddress, eventLoop: any EventLoop, core: NIOLoopBoundBox<SMQBrokerCore>
    ) async throws(DeviceError) -> LinkListener {
        let bootstrap = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.recvAllocator, value: LinkChannel.receiveAllocator)
            .childChannelOption(LinkChannel.userTimeoutOption, value: LinkChannel.userTimeout)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let peer = channel.remoteAddress?.linkAddress ?? "unknown"
                    let handler = SMQBrokerHandler(core.value, linkTo: peer, dialed: nil)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        do {
            let channel = try await bootstrap.bind(host: address.host, port: address.port).get()
            let bound = ListenAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
            return LinkListener(address: bound, channel: channel)
        } catch {
            throw address.explain(error, tool: "ss -ltnp")
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

extension SocketAddress {
    /// The address without its port, an IPv4 address that came mapped into IPv6 as IPv4.
    var linkAddress: String {
        guard let address = ipAddress else { return "local" }
        return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}
