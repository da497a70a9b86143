import DeviceCore

/// What the device's own events tell: where it is, where it was, and what it has sent.
struct DeviceView: Sendable {
    struct Move: Sendable {
        /// Counts from 1.
        var number: UInt64
        var from: String
        var to: String
        var reason: String
        /// Milliseconds without a session, and before that without a sign of life from a node that had gone silent.
        var gap: Int64
        var silence: Int64
        var time: MonotonicTime
    }

    /// Moves that are kept.
    static let limit = 20

    /// The node in use; nil while there is none.
    private(set) var node: String?
    private(set) var standby: String?
    /// The last moves, oldest first.
    private(set) var moves: [Move] = []
    private(set) var moveCount: UInt64 = 0
    /// Why there is no node.
    private(set) var trouble: String?
    /// The tag of its numbered messages.
    private(set) var run: String?
    private(set) var sent: UInt64 = 0
    private(set) var delivered: UInt64 = 0
    private(set) var waiting: UInt64 = 0

    /// Takes a line of JSON; what it does not know changes nothing.
    mutating func take(_ line: String, at now: MonotonicTime) {
        guard let event = try? JSONValue(parsing: line, named: "event", options: .message) else { return }
        func text(_ key: String) -> String? {
            guard let text = event[key]?.stringValue, !text.isEmpty else { return nil }
            return text
        }
        func number(_ key: String) -> Int64 { max(0, event[key]?.integerValue ?? 0) }
        switch text("event") {
        case "connected":
            node = text("broker")
            trouble = nil
        case "disconnected":
            if event["wasConnected"]?.boolValue == true, text("broker") == node { node = nil }
            if node == nil { trouble = text("reason") }
        case "moved":
            guard let from = text("from"), let to = text("to") else { return }
            moveCount += 1
            moves.append(
                Move(
                    number: moveCount, from: from, to: to, reason: text("reason") ?? "",
                    gap: number("gapMilliseconds"), silence: number("silenceMilliseconds"), time: now))
            if moves.count > Self.limit { moves.removeFirst() }
        case "heartbeat":
            run = text("run")
            (sent, delivered) = (UInt64(number("sent")), UInt64(number("delivered")))
            waiting = UInt64(number("waiting"))
            (node, standby) = (text("broker"), text("standby"))
        default: break
        }
    }
}
