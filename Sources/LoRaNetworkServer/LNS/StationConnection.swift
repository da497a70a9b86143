import DeviceCore
import DeviceProtocols
import Glibc
import NIOCore

/// A Basics Station's second WebSocket: the frames' way.
final class StationConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let hub: NetworkServerHub
    private let gateway: EUI64
    private var context: ChannelHandlerContext?
    private var isConfigured = false

    init(_ hub: NetworkServerHub, gateway: EUI64) {
        self.hub = hub
        self.gateway = gateway
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if !hub.register(gateway, self) {
            hub.core.reportBad("too-many-gateways")
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        hub.unregister(gateway, self)
        context.fireChannelInactive()
    }

    func close() { context?.close(promise: nil) }

    // MARK: Messages up

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard
            let message = try? JSONValue(parsing: bytes.readableBytesView, named: "message", options: .message),
            let kind = message["msgtype"]?.stringValue
        else { return hub.core.reportBad("bad-json") }
        switch kind {
        case "version":
            isConfigured = true
            write(StationMessages.configuration(hub.core.settings, now: Self.utc()))
        case "updf", "jreq", "propdf": receive(kind, message)
        case "dntxed": hub.core.report(refusal: nil)
        case "timesync": answerTime(message)
        // What it says about itself and its errors; nothing here acts on it.
        case "rejoin", "rmtsh", "getxtime", "alarm", "error": break
        default: hub.core.reportBad("unknown-msgtype")
        }
    }

    private func receive(_ kind: String, _ message: JSONValue) {
        guard let frame = StationUplink.frame(kind, message), let rate = message["DR"]?.integerValue,
            let number = UInt8(exactly: rate), let modulation = hub.core.settings.region.modulation(number),
            let hertz = message["Freq"]?.integerValue.flatMap({ UInt32(exactly: $0) }),
            let xtime = message["upinfo"]?["xtime"]?.integerValue, let rctx = message["upinfo"]?["rctx"]?.integerValue
        else { return hub.core.reportBad("bad-\(kind)") }
        hub.receive(
            ServerUplink(
                gateway: gateway, moment: .station(xtime: xtime, rctx: rctx),
                frequency: RadioFrequency(hertz: hertz), modulation: modulation, payload: frame))
    }

    private func answerTime(_ message: JSONValue) {
        guard let time = message["txtime"] else { return hub.core.reportBad("bad-timesync") }
        // GPS time began on 1980-01-06 and has been 18 s ahead since 2017.
        write(["msgtype": "timesync", "txtime": time, "gpstime": .integer(Self.utc() - (315_964_800 - 18) * 1_000_000)])
    }

    // MARK: Messages down

    /// - Returns: false when the station has not been configured, or does not read.
    func send(_ downlink: ServerDownlink) -> Bool {
        guard isConfigured, context?.channel.isWritable == true else { return false }
        write(StationMessages.downlink(downlink, now: Self.utc()))
        return true
    }

    private func write(_ message: JSONValue) {
        guard let context, context.channel.isWritable else { return }
        context.writeAndFlush(wrapOutboundOut(WebSocketText.frame(message)), promise: nil)
    }

    /// Microseconds since 1970.
    private static func utc() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
