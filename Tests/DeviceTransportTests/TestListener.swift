import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import TestSupport

/// Limits for machines that have much else to do.
let patient = {
    var limits = HTTPListener.Limits()
    limits.head = .seconds(60)
    return limits
}()

/// A listener with a page, a file, and a stream that sends back what it is sent.
func startListener(
    access: HTTPAccessPolicy = HTTPAccessPolicy(), limits: HTTPListener.Limits = patient, port: Int = 0,
    tls: TLSServerContext? = nil,
    _ add: (inout HTTPRoutes) -> Void = { _ in }
) async throws(DeviceError) -> HTTPListener {
    var routes = HTTPRoutes()
    routes.page("/") { .text(200, "page for \($0.remoteAddress) \($0.query)") }
    routes.page("/file.js") { _ in .text(200, "file") }
    routes.page("/slow") { _ in
        try? await Task.sleep(for: .milliseconds(50))
        return .text(200, "slow")
    }
    routes.stream("/echo") { request in
        if request.request.query == "refuse" { return .refuse(.text(503, "not now")) }
        let wantsHead = request.request.header("Head") != nil
        let isWebSocket = request.framing == .webSocket
        return .accept(responseHead: wantsHead ? "HTTP/1.1 200 OK\r\n\r\n" : nil) { channel in
            try channel.pipeline.syncOperations.addHandler(EchoHandler(isWebSocket: isWebSocket))
        }
    }
    add(&routes)
    return try await HTTPListener.start(
        on: ListenAddress(host: "127.0.0.1", port: port), eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
        routes: routes, access: access, limits: limits, tls: tls, logger: Logger(label: "test"))
}

/// Says hello, then sends back each piece or each message.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let isWebSocket: Bool

    init(isWebSocket: Bool) { self.isWebSocket = isWebSocket }

    func handlerAdded(context: ChannelHandlerContext) { send(context, ByteBuffer(string: "hello")) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { send(context, unwrapInboundIn(data)) }

    private func send(_ context: ChannelHandlerContext, _ bytes: ByteBuffer) {
        var output = ByteBuffer()
        if isWebSocket {
            output.writeBytes(
                bytes.readableBytes < 126
                    ? [0x82, UInt8(bytes.readableBytes)]
                    : [0x82, 126, UInt8(bytes.readableBytes >> 8), UInt8(bytes.readableBytes & 0xFF)])
        }
        output.writeImmutableBuffer(bytes)
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
    }
}

/// A GET request as a text.
func get(_ path: String, _ headers: String...) -> String {
    (["GET \(path) HTTP/1.1"] + (headers.contains { $0.hasPrefix("Host:") } ? [] : ["Host: localhost"]) + headers)
        .joined(separator: "\r\n") + "\r\n\r\n"
}

extension String {
    /// The status code that a HTTP response begins with.
    var status: Int? { split(separator: " ").dropFirst().first.flatMap { Int($0) } }
}
