import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import SMQBroker
import TestSupport
import Testing

/// What `GET /status` tells is what docs/cluster.md says.
@Suite struct StatusTests {
    /// The names in backticks of each row of a page's table: those of the first cell, and those of the second.
    private static func rows(after title: String, in page: String) -> [(members: [String], inner: [String])] {
        guard let start = page.firstRange(of: title)?.upperBound else { return [] }
        let lines = page[start...].split(separator: "\n").drop { !$0.hasPrefix("| `") }.prefix { $0.hasPrefix("| `") }
        return lines.map { line in
            let cells = line.split(separator: "|", maxSplits: 1)
            func names(_ cell: Substring?) -> [String] { cell?.matches(of: /`([A-Za-z]+)`/).map { String($0.1) } ?? [] }
            return (names(cells.first), names(cells.last))
        }
    }

    @Test func itsMembersAreThoseOfTheDocumentation() async throws {
        let path = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/docs/cluster.md"
        let rows = Self.rows(after: "### What `/status` tells", in: try SystemFile.text(path))
        try #require(rows.count > 6)
        let cluster = try await TestCluster.start(2)
        let told = Locked(JSONValue.null)
        try await eventually("the other node has told how it does") {
            let answer = try await RawConnection.exchange(
                port: cluster.nodes[0].listener.address.port,
                "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            let body = answer.firstRange(of: "\r\n\r\n").map { answer[$0.upperBound...] } ?? ""
            let status = try JSONValue(parsing: Array(body.utf8), named: "/status", options: .message)
            told.withLock { $0 = status }
            return status["peers"]?.arrayValue?.first?["connections"] != nil
        }
        let status = told.withLock { $0 }
        func names(_ value: JSONValue?) -> Set<String> { Set(value?.objectValue?.keys ?? []) }
        #expect(names(status) == Set(rows.flatMap(\.members)))
        for member in ["messages", "node", "peers", "addresses"] {
            let row = try #require(rows.first { $0.members == [member] })
            let value = status[member]
            let inner = value?.arrayValue?.first ?? value
            #expect(names(inner) == Set(row.inner), "\(member)")
        }
        await cluster.stop()
    }
}
