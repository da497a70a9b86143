import DeviceCore
import DeviceProtocols
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Turns a HTTP connection into a WebSocket (RFC 6455, section 4.2) when a stream route accepts it.
///
/// Not NIO's own upgrader: that one adds a frame encoder, while our streams write frames that are encoded already.
final class WebSocketUpgrader: HTTPServerProtocolUpgrader, Sendable {
    struct Refused: Error {}

    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []
    private let shared: HTTPListenerShared
    private let install = LockedSlot<@Sendable (any Channel) throws -> Void>()

    init(_ shared: HTTPListenerShared) { self.shared = shared }

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        channel.eventLoop.makeCompletedFuture {
            let request = HTTPRequest(upgradeRequest, remoteAddress: channel.remoteAddress?.plainAddress ?? "local")
            guard let key = request.header("Sec-WebSocket-Key"), request.header("Sec-WebSocket-Version") == "13",
                shared.access.refusal(of: request, needsToken: true) == nil,
                let stream = shared.routes.streams[request.path],
                case .accept(_, let install) = stream(StreamRequest(request: request, framing: .webSocket))
            else { throw Refused() }
            self.install.set(install)
            let accept = try WebSocketHandshake.accept(key: key)
            var headers = initialResponseHeaders
            headers.replaceOrAdd(name: "Upgrade", value: "websocket")
            headers.add(name: "Sec-WebSocket-Accept", value: accept)
            headers.replaceOrAdd(name: "Connection", value: "upgrade")
            return headers
        }
    }

    func upgrade(context: ChannelHandlerContext, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<Void> {
        let channel = context.channel
        shared.forget(channel)
        return context.eventLoop.makeCompletedFuture {
            let decoder = WebSocketFrameDecoder(maxFrameSize: SMQSize.maximumFrame)
            try channel.pipeline.syncOperations.addHandlers([
                ByteToMessageHandler(decoder), WebSocketMessageHandler(limit: SMQSize.maximumFrame),
            ])
            try self.install.take()?(channel)
        }
    }
}
