import CWebAssets
public import DeviceTransport
import NIOCore

/// The LED page and its files, which are part of the program.
public enum WebPages {
    /// What the names of the other pages' files begin with.
    private static let otherPages = ["apps", "demo", "lora"]

    /// Routes of the LED page's files; the page itself is at `/`.
    public static var routes: HTTPRoutes {
        var routes = HTTPRoutes()
        for (path, var response) in assets where !otherPages.contains(where: path.hasPrefix) {
            response.headers += securityHeaders
            routes.page("/\(path)") { [response] _ in response }
            if path == "index.html" { routes.page("/") { [response] _ in response } }
        }
        return routes
    }

    /// Routes of a LoRa gateway's page, at `/`, and of its files.
    public static var loraRoutes: HTTPRoutes {
        var routes = HTTPRoutes()
        for (path, var response) in assets where path.hasPrefix("lora") || path == "favicon.svg" {
            response.headers += securityHeaders
            routes.page(path == "lora.html" ? "/" : "/\(path)") { [response] _ in response }
        }
        return routes
    }

    /// Routes of the page of scripts, `/apps`, and of its files; it also uses files of ``routes``.
    public static var appRoutes: HTTPRoutes {
        var routes = HTTPRoutes()
        let shared: Set = ["style.css", "favicon.svg"]
        for (path, var response) in assets where path.hasPrefix("apps") || shared.contains(path) {
            // A frame could make its buttons be pressed unseen.
            response.headers.append(("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"))
            for (name, value) in securityHeaders.dropFirst() { response.headers.append((name, value)) }
            routes.page(path == "apps.html" ? "/apps" : "/\(path)") { [response] _ in response }
        }
        return routes
    }

    /// Routes of the cluster demo's page, which frames the pages of its nodes, and of its files.
    ///
    /// - Parameters:
    ///   - token: put into the page for its requests; hexadecimal digits.
    ///   - frames: the nodes' addresses, `127.0.0.1:8081`.
    public static func demoRoutes(token: String, frames: [String]) -> HTTPRoutes {
        var routes = HTTPRoutes()
        for (path, var response) in assets where path.hasPrefix("demo") || path == "favicon.svg" {
            response.headers += demoHeaders(frames)
            if path == "demo.html" {
                let text = String(buffer: response.body).replacing("{{token}}", with: token)
                response.body = ByteBuffer(string: text)
                routes.page("/") { [response] _ in response }
            } else {
                routes.page("/\(path)") { [response] _ in response }
            }
        }
        return routes
    }

    private static var assets: [(path: String, response: HTTPResponse)] {
        // safe: the table and its length are generated together, and its strings are literals.
        let assets = UnsafeBufferPointer(start: cweb_assets_table(), count: cweb_asset_count)
        return assets.map { asset in
            let body = ByteBuffer(bytes: UnsafeBufferPointer(start: asset.bytes, count: asset.count))
            let type = String(cString: asset.content_type)
            return (String(cString: asset.path), HTTPResponse(contentType: type, body: body))
        }
    }

    /// The page stops and starts programs, so none may frame it and make its buttons be pressed unseen.
    private static func demoHeaders(_ frames: [String]) -> [(String, String)] {
        let sources = frames.map { " http://\($0)" }.joined()
        let policy = "default-src 'self'; frame-src\(sources); frame-ancestors 'none'"
        return [("Content-Security-Policy", policy)] + securityHeaders.dropFirst()
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
