public import DeviceCore
public import NIOCore
import NIOPosix

/// A datagram that has arrived or is to be sent, with the other end's address.
public typealias UDPDatagram = AddressedEnvelope<ByteBuffer>

/// What takes a listener's datagrams. It lives on the listener's event loop and needs no locks.
public protocol UDPReceiver: AnyObject {
    /// Called on the event loop for each datagram. What is appended to `answers` is sent when all datagrams that
    /// were there have been looked at; a datagram that cannot be sent is lost, as UDP's are.
    func receive(_ datagram: UDPDatagram, answers: inout [UDPDatagram])
    /// Called on the event loop when all datagrams that were there have been looked at.
    func receiveComplete()
}

/// A UDP socket that listens, of IPv4 or IPv6 as its address is.
public final class UDPListener: Sendable {
    /// The address that the system gave; the port is the real one where 0 was asked for.
    public let address: ListenAddress
    private let channel: any Channel

    private init(address: ListenAddress, channel: any Channel) {
        self.address = address
        self.channel = channel
    }

    /// Begins to listen. Datagrams of any length arrive whole.
    ///
    /// - Parameters:
    ///   - receiveBuffer: bytes that the kernel keeps while the event loop is busy; the system may give less
    ///     (`net.core.rmem_max`).
    ///   - makeReceiver: makes what takes the datagrams, on the event loop.
    /// - Throws: ``DeviceError``: `busy` for a port in use, `permission` for a port below 1024 without the right,
    ///   `unavailable` for an address that this machine does not have.
    public static func start(
        on address: ListenAddress, eventLoop: any EventLoop, receiveBuffer: Int = 4 << 20,
        makeReceiver: @escaping @Sendable () -> any UDPReceiver
    ) async throws(DeviceError) -> UDPListener {
        let bootstrap = DatagramBootstrap(group: eventLoop)
            // The largest datagram that UDP has; a shorter buffer would cut it without a word.
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .channelOption(.socketOption(.so_rcvbuf), value: receiveBuffer)
            .channelOption(.maxMessagesPerRead, value: 16)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(UDPReceiverHandler(makeReceiver()))
                }
            }
        do {
            let channel = try await bootstrap.bind(host: address.host, port: address.port).get()
            let bound = ListenAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
            return UDPListener(address: bound, channel: channel)
        } catch {
            throw address.explain(error, tool: "ss -lunp")
        }
    }

    /// Sends datagrams that answer nothing. While the socket is not writable they are lost, as UDP's are.
    public func send(_ datagrams: [UDPDatagram]) {
        channel.eventLoop.execute { [channel] in
            for datagram in datagrams where channel.isWritable { channel.write(datagram, promise: nil) }
            channel.flush()
        }
    }

    /// Returns when the socket is closed: by ``close()``, or because the system took it away.
    public func waitUntilClosed() async { try? await channel.closeFuture.get() }

    /// Stops listening.
    public func close() async { try? await channel.close().get() }
}

/// Hands a channel's datagrams to the receiver and sends its answers in one batch.
private final class UDPReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = UDPDatagram
    typealias OutboundOut = UDPDatagram

    private let receiver: any UDPReceiver
    private var answers: [UDPDatagram] = []

    init(_ receiver: any UDPReceiver) { self.receiver = receiver }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receiver.receive(unwrapInboundIn(data), answers: &answers)
        // A peer that does not let its answers be sent does not make them pile up.
        for answer in answers where context.channel.isWritable { context.write(wrapOutboundOut(answer), promise: nil) }
        answers.removeAll(keepingCapacity: true)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        receiver.receiveComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An error of one datagram, for instance of an answer to a port that is closed. When the socket itself is
        // lost, NIO closes the channel.
    }
}
