import DeviceCore
import DeviceProtocols
import DeviceSimulator
import DeviceTransport
import LoRaNetworkServer
import Logging
import NIOCore

/// The virtual network server of a simulation: knows the virtual devices, answers them, and is spoken to over loopback
/// as any other server is.
struct BuiltInServer: Sendable {
    private let server: LoRaNetworkServer

    static func start(
        _ options: GatewayServiceOptions, _ clock: DeviceClock, _ eventLoop: any EventLoop
    ) async throws(DeviceError) -> BuiltInServer {
        let devices = VirtualDeviceSettings.fleet(options.devices, seed: options.seed, interval: options.interval)
        var settings = NetworkServerSettings(region: .eu868, devices: devices.map(\.device))
        settings.classCInterval = options.interval * 2
        return BuiltInServer(
            server: try await LoRaNetworkServer.start(
                settings, crypto: OpenSSLCrypto(), eventLoop: eventLoop, clock: clock,
                logger: Logger(label: "network-server") { _ in SwiftLogNoOpLogHandler() }))
    }

    /// The up-link to it.
    func uplink(_ kind: String) -> UplinkConfiguration {
        let station = server.stationAddress
        let forwarder = server.forwarderAddress
        if kind == "lns" {
            return UplinkConfiguration(name: "virtual network server", kind: .lns(LNSServer(url: "ws://\(station)")))
        }
        return UplinkConfiguration(
            name: "virtual network server",
            kind: .gwmp(GWMPServer(host: forwarder.host, portUp: forwarder.port, portDown: forwarder.port)))
    }

    /// What it has seen, in one line.
    var summary: String {
        get async {
            let counters = await server.counters()
            return "\(counters.joins) joins, \(counters.data) data frames, \(counters.downlinksFirst) answers in RX1, "
                + "\(counters.downlinksSecond) in RX2, \(counters.downlinksClassC) of class C; \(counters.accepted) accepted"
        }
    }

    func close() async { await server.close() }
}
