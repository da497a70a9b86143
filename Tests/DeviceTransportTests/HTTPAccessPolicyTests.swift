import DeviceCore
import DeviceTransport
import NIOCore
import TestSupport
import Testing

/// A page of another site, a name that was pointed at this machine, a missing token.
@Suite struct HTTPAccessPolicyTests {
    private enum Way: CaseIterable {
        case page
        case raw
        case webSocket
    }

    private func status(_ way: Way, _ listener: HTTPListener, path: String? = nil, _ headers: [String]) async throws
        -> Int?
    {
        let connection = try await RawConnection.connect(port: listener.address.port)
        defer { connection.close() }
        var headers = headers
        if !headers.contains(where: { $0.hasPrefix("Host:") }) { headers.insert("Host: 127.0.0.1", at: 0) }
        switch way {
        case .page: headers.insert("GET \(path ?? "/") HTTP/1.1", at: 0)
        case .raw: headers = ["GET \(path ?? "/echo") HTTP/1.1", "SimpleMQ: 1", "Head: 1"] + headers
        case .webSocket:
            headers =
                ["GET \(path ?? "/echo") HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade"]
                + ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"] + headers
        }
        try await connection.send(headers.joined(separator: "\r\n") + "\r\n\r\n")
        return try await connection.take(through: "\r\n").status
    }

    private func check(
        _ listener: HTTPListener, _ headers: [String], isServed: Bool, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for way in Way.allCases {
            let status = try await status(way, listener, headers)
            let good = way == .webSocket ? 101 : 200
            #expect(status == (isServed ? good : 403), "\(way) \(headers)", sourceLocation: sourceLocation)
        }
    }

    @Test func foreignOriginsAreRefused() async throws {
        let listener = try await startListener()
        for origin in [
            "http://evil.example", "https://127.0.0.1.evil.example", "null", "http://127.0.0.1:1", "file://",
        ] {
            try await check(listener, ["Host: 127.0.0.1:8080", "Origin: \(origin)"], isServed: false)
        }
        try await check(listener, ["Host: 127.0.0.1:8080", "Origin: http://127.0.0.1:8080"], isServed: true)
        try await check(listener, ["Host: localhost:8080", "Origin: https://LOCALHOST:8080"], isServed: true)
        await listener.close()
    }

    @Test func foreignHostsAreRefused() async throws {
        let listener = try await startListener(access: HTTPAccessPolicy(names: ["raspberrypi.local"]))
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", ""] {
            try await check(listener, ["Host: \(host)"], isServed: false)
            try await check(listener, ["Host: \(host)", "Origin: http://\(host)"], isServed: false)
        }
        for host in ["127.0.0.1", "192.168.1.7:8080", "[::1]:8080", "localhost", "RaspberryPi.local:80"] {
            try await check(listener, ["Host: \(host)"], isServed: true)
        }
        await listener.close()
    }

    @Test func theTokenIsNeededWhereItIsSet() async throws {
        let listener = try await startListener(access: HTTPAccessPolicy(token: "sec ret"))
        for way in Way.allCases {
            let path = way == .page ? "/" : "/echo"
            let good = way == .webSocket ? 101 : 200
            #expect(try await status(way, listener, []) == 401, "\(way)")
            #expect(try await status(way, listener, path: path + "?token=sec%20re", []) == 401, "\(way)")
            #expect(try await status(way, listener, path: path + "?token=", []) == 401, "\(way)")
            #expect(try await status(way, listener, path: path + "?x=1&token=sec%20ret", []) == good, "\(way)")
            #expect(try await status(way, listener, ["Authorization: Bearer sec ret"]) == good, "\(way)")
            // The token does not open the door to a foreign page.
            #expect(
                try await status(way, listener, path: path + "?token=sec%20ret", ["Origin: http://evil.example"]) == 403
            )
        }
        // A page's files load without it.
        #expect(try await status(.page, listener, path: "/file.js", []) == 200)
        await listener.close()
    }

    @Test func anOpenListenerLetsEverybodyIn() async throws {
        let listener = try await startListener(access: HTTPAccessPolicy(token: "secret", isOpen: true))
        try await check(listener, ["Host: evil.example", "Origin: http://other.example"], isServed: true)
        await listener.close()
    }
}
