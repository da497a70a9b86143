import DeviceCore

/// All that the demo's page shows, as JSON.
struct ClusterState: Sendable {
    struct Node: Sendable {
        var name: String
        var address: String
        var snapshot: ClusterNode.Snapshot
        var received: UInt64
    }

    var nodes: [Node]
    var device: DeviceView
    /// The highest number that came.
    var highest: UInt64
    var received: UInt64
    var lost: UInt64
    var course: [[Int]]
    var now: MonotonicTime

    /// The node that a client's text names.
    private func index(_ place: String?) -> Int? {
        place.flatMap { place in nodes.firstIndex { place.contains($0.address) } }
    }

    private func number(_ index: Int?) -> JSONValue { index.map { .integer(Int64($0)) } ?? .null }

    private static func count(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }

    var json: String {
        let value: JSONValue = [
            "nodes": .array(nodes.map(Self.json)),
            "device": [
                "node": number(index(device.node)), "standby": number(index(device.standby)),
                "trouble": device.trouble.map { .string($0) } ?? .null,
            ],
            "moves": .array(device.moves.map(json)),
            "messages": [
                // The device tells its own count a little later than its messages.
                "sent": Self.count(max(device.sent, highest)), "received": Self.count(received),
                "lost": Self.count(lost),
                "waiting": Self.count(device.waiting),
            ],
            "course": .array(course.map { .array($0.map { .integer(Int64($0)) }) }),
        ]
        var text = ""
        JSONWriter.append(value, to: &text)
        return text
    }

    private static func json(_ node: Node) -> JSONValue {
        let state: String
        var exit: JSONValue = .null
        switch node.snapshot.state {
        case .stopped: state = "stopped"
        case .starting: state = "starting"
        case .running: state = "running"
        case .frozen: state = "frozen"
        case .stopping: state = "stopping"
        case .crashed(let status):
            state = "crashed"
            exit = .integer(Int64(status))
        }
        return [
            "name": .string(node.name), "address": .string(node.address), "url": .string("http://\(node.address)/"),
            "state": .string(state), "exit": exit,
            "commands": .array(node.snapshot.commands.map { .string($0.rawValue) }),
            "process": node.snapshot.process.map { .integer(Int64($0)) } ?? .null,
            "word": node.snapshot.lastLine.map { .string($0) } ?? .null, "received": Self.count(node.received),
        ]
    }

    private func json(_ move: DeviceView.Move) -> JSONValue {
        [
            "number": Self.count(move.number), "from": number(index(move.from)), "to": number(index(move.to)),
            "reason": .string(move.reason), "gap": .integer(move.gap), "silence": .integer(move.silence),
            "age": .integer((now - move.time).wholeNanoseconds / 1_000_000),
        ]
    }
}
