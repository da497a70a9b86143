import DeviceCore
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

    /// Starts both on one port.
    ///
    /// - Parameters:
    ///   - address: exactly this one, or nil for port 8080 or the next free one of `defaultHost`.
    ///   - access: who may use them.
    static func start(
        on address: ListenAddress?, defaultHost: String, access: HTTPAccessPolicy, eventLoop: any EventLoop,
        logger: Logger
    ) async throws(DeviceError) -> EmbeddedBroker {
        let broker = SMQBroker(eventLoop: eventLoop, logger: logger)
        var routes = WebPages.routes
        routes.merge(broker.routes())
        routes.merge(OperationPages.routes(isReady: { true }, metrics: { await broker.snapshot().metrics }))
        let candidates = address.map { [$0] } ?? (8080...8099).map { ListenAddress(host: defaultHost, port: $0) }
        var failure: DeviceError?
        for candidate in candidates {
            do throws(DeviceError) {
                let listener = try await HTTPListener.start(
                    on: candidate, eventLoop: eventLoop, routes: routes, access: access, logger: logger)
                return EmbeddedBroker(broker: broker, listener: listener, token: access.token)
            } catch {
                failure = failure ?? error
                if error.code != .busy { break }
            }
        }
        throw failure ?? DeviceError(.unavailable, "no address to listen on")
    }

    func stop() async {
        await listener.stopAccepting()
        await broker.shutDown()
        await listener.close()
    }
}
