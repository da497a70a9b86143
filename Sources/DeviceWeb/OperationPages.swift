public import DeviceTransport
import NIOCore

/// `/health` and `/metrics`.
public enum OperationPages {
    /// Routes that ask their program anew for each request.
    ///
    /// - Parameters:
    ///   - isReady: whether the program does its work; 503 and `"ready":false` when not.
    ///   - metrics: the numbers of this moment.
    public static func routes(
        isReady: @escaping @Sendable () async -> Bool, metrics: @escaping @Sendable () async -> [Metric]
    ) -> HTTPRoutes {
        var routes = HTTPRoutes()
        routes.page("/health") { _ in
            let ready = await isReady()
            let body = ByteBuffer(string: "{\"live\":true,\"ready\":\(ready)}\n")
            return HTTPResponse(status: ready ? 200 : 503, contentType: "application/json", body: body)
        }
        routes.page("/metrics") { _ in
            let text = await metrics().map(\.text).joined()
            return HTTPResponse(
                contentType: "text/plain; version=0.0.4; charset=utf-8", body: ByteBuffer(string: text))
        }
        return routes
    }
}
