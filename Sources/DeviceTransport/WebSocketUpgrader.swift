import DeviceCore
import DeviceProtocols
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Turns a HTTP connection into a WebSocket (RFC 6455, section 4.2) when a stream route accepts it.
///
/// Not NIO's own upgrader: that one adds a frame encoder, while our streams write frames that are encoded already.
final class WebSocketUpgrader: HTTPServerProtocolUpgrader, Sendable {
    /// Why there is no WebSocket; it is the answer to the request.
    struct Refused: Error {
        var response: HTTPResponse
    }

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
            let key = try self.key(of: request)
            let install: @Sendable (any Channel) throws -> Void
            switch self.shared.decide(StreamRequest(request: request, framing: .webSocket)) {
            case .refuse(let response): throw Refused(response: response)
            case .accept(_, let installs): install = installs
            }
            self.install.set(install)
            let accept = try WebSocketHandshake.accept(key: key)
            var headers = initialResponseHeaders
            headers.replaceOrAdd(name: "Upgrade", value: "websocket")
            headers.add(name: "Sec-WebSocket-Accept", value: accept)
            headers.replaceOrAdd(name: "Connection", value: "upgrade")
            return headers
        }
    }

    /// The key of a request that is a WebSocket's in every other respect.
    private func key(of request: HTTPRequest) throws(Refused) -> String {
        // Who may not come in is told just that, whatever else is wrong.
        if let refusal = shared.refusal(ofStream: request) { throw Refused(response: refusal) }
        guard request.method == "GET" else { throw Refused(response: .text(405, "A WebSocket needs a GET.")) }
        guard request.header("Sec-WebSocket-Version") == "13" else {
            var response = HTTPResponse.text(426, "Only version 13 of WebSocket is served here (RFC 6455).")
            response.headers += [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
            throw Refused(response: response)
        }
        guard let key = request.header("Sec-WebSocket-Key"), !key.isEmpty else {
            throw Refused(response: .text(400, "A WebSocket needs a Sec-WebSocket-Key."))
        }
        return key
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
