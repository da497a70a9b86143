import CWebAssets
public import DeviceTransport
import NIOCore

/// The LED page and its files, which are part of the program.
public enum WebPages {
    /// Routes of all files; the page itself is at `/`.
    public static var routes: HTTPRoutes {
        var routes = HTTPRoutes()
        // safe: the table and its length are generated together, and its strings are literals.
        let assets = UnsafeBufferPointer(start: cweb_assets_table(), count: cweb_asset_count)
        for asset in assets {
            let path = String(cString: asset.path)
            let body = ByteBuffer(bytes: UnsafeBufferPointer(start: asset.bytes, count: asset.count))
            var response = HTTPResponse(contentType: String(cString: asset.content_type), body: body)
            response.headers += securityHeaders
            routes.page("/\(path)") { [response] _ in response }
            if path == "index.html" { routes.page("/") { [response] _ in response } }
        }
        return routes
    }

    /// Nothing from elsewhere is loaded, nothing inline is run, and only pages of this machine may frame the page.
    private static let securityHeaders = [
        (
            "Content-Security-Policy",
            "default-src 'self'; frame-ancestors 'self' http://localhost:* http://127.0.0.1:* http://127.0.0.2:*"
        ),
        ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache"),
    ]
}
