import DeviceCore
import DeviceProtocols
public import DeviceTransport
import NIOCore

extension SMQBroker {
    /// `GET /status`: what this node does and how its peers do, as JSON. `POST /drain`: asks the clients to leave.
    ///
    /// - Parameters:
    ///   - version: of the program.
    ///   - onDrain: called for each request to drain; whoever made the broker then calls ``drain(within:grace:)`` and
    ///     ends.
    public func statusRoutes(version: String, onDrain: (@Sendable () -> Void)? = nil) -> HTTPRoutes {
        var routes = HTTPRoutes()
        routes.page("/status") { [self] _ in
            let text = await snapshot().json(version: version).description
            return HTTPResponse(contentType: "application/json", body: ByteBuffer(string: text + "\n"))
        }
        if let onDrain {
            routes.action("/drain") { _ in
                onDrain()
                return .text(202, "Clients are asked to find another node.")
            }
        }
        return routes
    }
}

extension SMQBroker.Snapshot {
    /// The members of `/status`; docs/cluster.md describes them.
    func json(version: String) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("version", .string(version)),
            ("uptime", .number(uptime.inSeconds)),
            ("draining", .bool(isDraining)),
            ("connections", .integer(Int64(clients))),
            ("topics", .integer(Int64(topics))),
            ("queuedBytes", .integer(Int64(queuedBytes))),
            (
                "messages",
                .object(
                    JSONObject([
                        ("receivedPerSecond", .number(rates.received.rounded())),
                        ("deliveredPerSecond", .number(rates.delivered.rounded())),
                        ("received", .integer(Int64(clamping: statistics.messagesReceived))),
                        ("delivered", .integer(Int64(clamping: statistics.messagesDelivered))),
                    ]))
            ),
            ("cpu", .number(Double(process.processor) / 1000)),
            ("memory", .integer(Int64(clamping: process.memory))),
        ]
        if let cluster {
            members.append(
                (
                    "node",
                    .object(JSONObject([("id", .string(cluster.nodeID.hexadecimal)), ("name", .string(cluster.name))]))
                ))
            members.append(("peers", .array(cluster.links.map(\.json))))
            members.append(("addresses", .array(cluster.peers.map(\.json))))
        }
        return .object(JSONObject(members))
    }
}

extension SMQLinkState {
    fileprivate var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(name)),
            ("address", .string(address)),
            ("id", nodeID.map { .string($0.hexadecimal) } ?? .null),
            ("up", .bool(isUp)),
            ("queuedBytes", .integer(Int64(queuedBytes))),
            ("sent", .integer(Int64(clamping: sent))),
            ("received", .integer(Int64(clamping: received))),
        ]
        if let status {
            members += [
                ("connections", .integer(Int64(status.clients))),
                ("cpu", .number(Double(status.processor) / 1000)),
                ("memory", .integer(Int64(clamping: status.memory))),
                ("draining", .bool(status.isDraining)),
            ]
        }
        return .object(JSONObject(members))
    }
}

extension SMQLinkDialPlan.Entry {
    fileprivate var json: JSONValue {
        .object(
            JSONObject([
                ("address", .string(endpoint.description)), ("own", .bool(isOwn)), ("up", .bool(isUp)),
                ("failure", failure.map { .string($0) } ?? .null),
            ]))
    }
}

extension UInt64 {
    var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(wholeNanoseconds / 1_000_000) / 1000 }
}
