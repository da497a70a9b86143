public import DeviceCore
import DeviceProtocols
public import DeviceTransport
public import Logging
public import NIOCore

/// A small virtual LoRaWAN network: enough to try a gateway and its devices without any account.
///
/// It speaks to gateways by Semtech's UDP protocol and as Basics Station's LNS, both on loopback unless told otherwise,
/// and has no passwords. All its state is in memory.
///
/// ```swift
/// let server = try await LoRaNetworkServer.start(
///     NetworkServerSettings(region: .eu868, devices: devices), crypto: OpenSSLCrypto(), eventLoop: loop, logger: log)
/// print(server.forwarderAddress, server.stationAddress)
/// ```
public final class LoRaNetworkServer: Sendable {
    /// Where forwarders send their datagrams.
    public let forwarderAddress: ListenAddress
    /// Where stations ask for their router, as `ws://HOST:PORT`.
    public let stationAddress: ListenAddress
    private let eventLoop: any EventLoop
    private let hub: NIOLoopBoundBox<NetworkServerHub>
    private let udp: UDPListener
    private let http: HTTPListener
    private let ticking: RepeatedTask

    private init(
        eventLoop: any EventLoop, hub: NIOLoopBoundBox<NetworkServerHub>, udp: UDPListener, http: HTTPListener,
        ticking: RepeatedTask
    ) {
        self.eventLoop = eventLoop
        self.hub = hub
        self.udp = udp
        self.http = http
        self.ticking = ticking
        forwarderAddress = udp.address
        stationAddress = http.address
    }

    /// Begins to listen on both sides.
    ///
    /// - Throws: ``DeviceError`` for an address that cannot be had, and when there are no random bytes.
    public static func start(
        _ settings: NetworkServerSettings, forwarders: ListenAddress = ListenAddress(host: "127.0.0.1", port: 0),
        stations: ListenAddress = ListenAddress(host: "127.0.0.1", port: 0), crypto: any Crypto,
        eventLoop: any EventLoop, clock: DeviceClock = DeviceClock(.continuous), logger: Logger
    ) async throws(DeviceError) -> LoRaNetworkServer {
        let joinNonce = try crypto.randomBytes(3).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let hub = NIOLoopBoundBox.makeBoxSendingValue(
            NetworkServerHub(
                NetworkServerCore(settings, crypto: crypto, joinNonce: joinNonce), clock: clock),
            eventLoop: eventLoop)
        let listener = NIOLoopBoundBox.makeBoxSendingValue(UDPListener?.none, eventLoop: eventLoop)
        let side = NIOLoopBoundBox.makeBoxSendingValue(ForwarderSide?.none, eventLoop: eventLoop)
        let udp = try await UDPListener.start(on: forwarders, eventLoop: eventLoop) {
            let made = ForwarderSide(hub.value) { listener.value?.send($0) }
            side.value = made
            return made
        }
        let http: HTTPListener
        do throws(DeviceError) {
            http = try await HTTPListener.start(
                on: stations, eventLoop: eventLoop, routes: Self.routes(hub, port: stations.port), logger: logger)
        } catch {
            await udp.close()
            throw error
        }
        eventLoop.execute { listener.value = udp }
        let ticking = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            hub.value.tick()
            side.value?.flush()
        }
        return LoRaNetworkServer(eventLoop: eventLoop, hub: hub, udp: udp, http: http, ticking: ticking)
    }

    private static func routes(_ hub: NIOLoopBoundBox<NetworkServerHub>, port: Int) -> HTTPRoutes {
        var routes = HTTPRoutes()
        routes.stream("/router-info") { request in
            guard request.framing == .webSocket else { return .refuse(.text(400, "This is a WebSocket.")) }
            // The name by which the station has found us.
            let host = request.request.header("Host") ?? "127.0.0.1:\(port)"
            return .accept(responseHead: nil) { channel in
                let handler = StationDiscovery(hub.value, base: "ws://\(host)/station")
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        }
        routes.stream("/station") { request in
            guard request.framing == .webSocket else { return .refuse(.text(400, "This is a WebSocket.")) }
            guard let gateway = request.request.queryItem("router").flatMap({ EUI64($0) }) else {
                return .refuse(.text(400, "The router's EUI is missing: ask at /router-info."))
            }
            return .accept(responseHead: nil) { channel in
                try channel.pipeline.syncOperations.addHandler(StationConnection(hub.value, gateway: gateway))
            }
        }
        return routes
    }

    /// What it has seen and done.
    public func counters() async -> NetworkServerCounters {
        let hub = hub
        return (try? await eventLoop.submit { hub.value.core.counters }.get()) ?? NetworkServerCounters()
    }

    /// Stops listening and forgets everything.
    public func close() async {
        ticking.cancel()
        let hub = hub
        try? await eventLoop.submit { hub.value.closeStations() }.get()
        await udp.close()
        await http.close()
    }
}
