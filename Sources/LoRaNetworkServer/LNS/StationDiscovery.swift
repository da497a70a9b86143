import DeviceCore
import DeviceProtocols
import NIOCore

/// A Basics Station's first WebSocket: it names itself and is told where its frames go.
final class StationDiscovery: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let hub: NetworkServerHub
    private let base: String

    /// - Parameter base: the address of the second WebSocket, without the gateway.
    init(_ hub: NetworkServerHub, base: String) {
        self.hub = hub
        self.base = base
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let message = try? JSONValue(parsing: bytes.readableBytesView, named: "message", options: .message)
        let answer: JSONValue
        if let gateway = StationMessages.eui(message?["router"]) {
            answer = StationMessages.router(gateway, uri: "\(base)?router=\(gateway)")
        } else {
            hub.core.reportBad("bad-discovery")
            answer = StationMessages.refusal("The router's EUI is missing.")
        }
        // The station closes when it has read it.
        guard context.channel.isWritable else { return }
        context.writeAndFlush(wrapOutboundOut(WebSocketText.frame(answer)), promise: nil)
    }
}
