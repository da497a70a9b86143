import ClusterClient
import DeviceCore
import DeviceTransport
import DeviceWeb
import Logging
import NIOCore

/// `/health` and `/metrics` of a device that carries no broker.
struct Monitor: Sendable {
    let listener: HTTPListener
    /// Nil on loopback, where everybody may look.
    let token: String?

    /// - Throws: ``DeviceError`` when the address cannot be listened on.
    static func start(
        on address: ListenAddress, client: SMQClient, apps: AppPages? = nil, eventLoop: any EventLoop, logger: Logger
    ) async throws(DeviceError) -> Monitor {
        let token = address.isLoopback ? nil : try AccessToken.load().value
        var routes = OperationPages.routes(
            isReady: { client.isConnected }, details: { client.health }, metrics: { client.metrics })
        if let apps { routes.merge(apps.routes) }
        let listener = try await HTTPListener.start(
            on: address, eventLoop: eventLoop,
            routes: routes,
            access: HTTPAccessPolicy(names: HostName.ownNames, token: token), flag: "--monitor", logger: logger)
        return Monitor(listener: listener, token: token)
    }

    /// Where it is, with the token that it needs.
    var url: String { "http://\(listener.address)/health" + (token.map { "?token=\($0)" } ?? "") }

    func stop() async { await listener.close() }
}
