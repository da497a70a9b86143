public import DeviceCore
public import DeviceTransport
import NIOCore

/// `/health` and `/metrics`.
public enum OperationPages {
    /// Routes that ask their program anew for each request.
    ///
    /// - Parameters:
    ///   - isReady: whether the program does its work; 503 and `"ready":false` when not.
    ///   - details: more members of `/health`; `live` and `ready` come first.
    ///   - metrics: the numbers of this moment.
    public static func routes(
        isReady: @escaping @Sendable () async -> Bool,
        details: @escaping @Sendable () async -> JSONObject = { JSONObject() },
        metrics: @escaping @Sendable () async -> [Metric]
    ) -> HTTPRoutes {
        var routes = HTTPRoutes()
        routes.page("/health") { _ in
            let ready = await isReady()
            var members: JSONObject = ["live": true, "ready": .bool(ready)]
            for (key, value) in await details() { members[key] = value }
            let body = ByteBuffer(string: "\(JSONValue.object(members))\n")
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
