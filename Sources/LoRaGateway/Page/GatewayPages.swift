import DeviceCore
import DeviceTransport
import DeviceWeb
import NIOCore

/// The page and what machines read: `/`, `/status`, `/health`, `/metrics`.
enum GatewayPages {
    static func routes(_ core: GatewayHandle, _ scripts: GatewayScripts?) -> HTTPRoutes {
        var routes = WebPages.loraRoutes
        routes.page("/status") { _ in
            let text = (try? await core.eventLoop.submit { GatewayStatus(core, scripts).json }.get()) ?? "{}"
            var response = HTTPResponse(contentType: "application/json", body: ByteBuffer(string: text + "\n"))
            response.headers.append(("Cache-Control", "no-store"))
            return response
        }
        routes.merge(
            OperationPages.routes(
                isReady: { core.host.status.isRunning },
                metrics: { (try? await core.eventLoop.submit { GatewayMetrics(core, scripts).all }.get()) ?? [] }))
        return routes
    }
}
