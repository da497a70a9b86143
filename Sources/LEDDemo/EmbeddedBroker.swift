import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceScripts
import DeviceTransport
import DeviceWeb
import Logging
import NIOCore
import SMQBroker

/// The broker and the page that LEDDemo carries when it is given no broker.
struct EmbeddedBroker: Sendable {
    let broker: SMQBroker
    let listener: HTTPListener
    let token: String?
    /// Where the device of this process connects to.
    let ownURL: BrokerURL
    /// With TLS: a plain port on loopback, behind a secret of this process, for the device of this process alone. The
    /// certificate is for the names that others use.
    private let ownListener: HTTPListener?

    /// Starts both on one port.
    ///
    /// - Parameters:
    ///   - address: exactly this one, or nil for port 8080 or the next free one of `defaultHost`.
    ///   - access: who may use them.
    ///   - tls: secures both.
    ///   - apps: the page of the scripts of this process.
    ///   - hub: what these scripts have to say about clients.
    ///   - device: the device of this process, once there is one, for `/health` and `/metrics`.
    static func start(
        on address: ListenAddress?, defaultHost: String, access: HTTPAccessPolicy, tls: TLSServerContext? = nil,
        apps: AppPages? = nil, hub: ScriptHub? = nil, device: @escaping @Sendable () -> SMQClient?,
        eventLoop: any EventLoop, logger: Logger
    ) async throws(DeviceError) -> EmbeddedBroker {
        var configuration = SMQBroker.Configuration()
        if let hub {
            configuration.authenticate = { await hub.authenticate($0) }
            configuration.onSession = { hub.changed($0) }
            configuration.questions = SMQBroker.Questions(
                wanted: { hub.wanted }, decide: { await hub.decide($0) }, onDrop: { hub.dropped($0) })
        }
        let broker = SMQBroker(configuration, eventLoop: eventLoop, logger: logger)
        hub?.follow { limit in await broker.names(limit: limit) }
        var routes = WebPages.routes
        routes.merge(broker.routes())
        // No /drain: there is no other node to which the clients could go, and the device would stay.
        routes.merge(broker.statusRoutes(version: "0"))
        routes.merge(
            OperationPages.routes(
                isReady: {
                    let isDraining = await broker.snapshot().isDraining
                    return !isDraining && device()?.isConnected == true
                },
                details: { device()?.health ?? JSONObject() },
                metrics: { await broker.snapshot().metrics + (device()?.metrics ?? []) + (tls?.metrics ?? []) }))
        if let apps { routes.merge(apps.routes) }
        let listener = try await HTTPListener.firstFree(address, defaultHost: defaultHost) {
            candidate throws(DeviceError) in
            try await HTTPListener.start(
                on: candidate, eventLoop: eventLoop, routes: routes, access: access, tls: tls, logger: logger)
        }
        return try await EmbeddedBroker(
            broker, listener, access, ownQuery: hub?.ownQuery, eventLoop: eventLoop, logger: logger)
    }

    private init(
        _ broker: SMQBroker, _ listener: HTTPListener, _ access: HTTPAccessPolicy, ownQuery: String?,
        eventLoop: any EventLoop, logger: Logger
    ) async throws(DeviceError) {
        self.broker = broker
        self.listener = listener
        token = access.token
        var address = listener.address
        var secret = access.token
        if listener.isSecure {
            let own = try OpenSSLCrypto().accessToken()
            let inner = try await HTTPListener.start(
                on: ListenAddress(host: "127.0.0.1", port: 0), eventLoop: eventLoop, routes: broker.routes(),
                access: HTTPAccessPolicy(token: own), logger: logger)
            (address, secret, ownListener) = (inner.address, own, inner)
        } else {
            if address.host == "0.0.0.0" { address.host = "127.0.0.1" }
            if address.host == "::" { address.host = "::1" }
            ownListener = nil
        }
        let query = [secret.map { "token=\($0)" }, ownQuery].compactMap { $0 }.joined(separator: "&")
        ownURL = try BrokerURL("smq://\(address)/smq.lsp" + (query.isEmpty ? "" : "?" + query))
    }

    func stop() async {
        await listener.stopAccepting()
        await ownListener?.stopAccepting()
        await broker.shutDown()
        await listener.close()
        await ownListener?.close()
    }
}
