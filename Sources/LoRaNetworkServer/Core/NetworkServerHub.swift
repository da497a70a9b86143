import DeviceCore
import DeviceProtocols
import NIOCore

/// Where the server's two sides and its core meet. It lives on one event loop.
final class NetworkServerHub {
    /// Gateways of each protocol; more are refused and counted.
    static let gatewayLimit = 1000

    var core: NetworkServerCore
    let clock: DeviceClock
    /// Where each gateway's PULL_DATA came from last.
    private(set) var forwarders: [EUI64: SocketAddress] = [:]
    private(set) var stations: [EUI64: StationConnection] = [:]
    /// Sends a frame to a forwarder.
    var sendToForwarder: ((ServerDownlink, SocketAddress) -> Void)?

    init(_ core: NetworkServerCore, clock: DeviceClock) {
        self.core = core
        self.clock = clock
    }

    // MARK: Gateways

    /// - Returns: false when there are too many.
    func register(_ gateway: EUI64, at address: SocketAddress) -> Bool {
        guard forwarders[gateway] != nil || forwarders.count < Self.gatewayLimit else { return false }
        forwarders[gateway] = address
        return true
    }

    /// - Returns: false when there are too many.
    func register(_ gateway: EUI64, _ connection: StationConnection) -> Bool {
        guard stations[gateway] != nil || stations.count < Self.gatewayLimit else { return false }
        // The newer connection is the one that lives.
        stations[gateway]?.close()
        stations[gateway] = connection
        return true
    }

    func unregister(_ gateway: EUI64, _ connection: StationConnection) {
        if stations[gateway] === connection { stations[gateway] = nil }
    }

    // MARK: Frames

    func receive(_ uplink: ServerUplink) { deliver(core.receive(uplink, at: clock.now)) }

    func tick() { deliver(core.tick(at: clock.now)) }

    private func deliver(_ downlinks: [ServerDownlink]) {
        for downlink in downlinks {
            switch downlink.slot {
            case .first(.counter, _), .second(.counter, _): sendByGWMP(downlink)
            case .first(.station, _), .second(.station, _): sendByStation(downlink)
            case .atOnce: if stations[downlink.gateway] != nil { sendByStation(downlink) } else { sendByGWMP(downlink) }
            }
        }
    }

    private func sendByGWMP(_ downlink: ServerDownlink) {
        guard let address = forwarders[downlink.gateway], let sendToForwarder else {
            core.reportUndeliverable()
            return
        }
        sendToForwarder(downlink, address)
    }

    private func sendByStation(_ downlink: ServerDownlink) {
        guard let station = stations[downlink.gateway], station.send(downlink) else {
            core.reportUndeliverable()
            return
        }
    }

    func closeStations() { for station in stations.values { station.close() } }
}
