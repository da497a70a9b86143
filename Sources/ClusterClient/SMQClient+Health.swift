public import DeviceCore

extension SMQClient {
    /// How the client does, as members of a `/health` answer: `state` (`connected` or `connecting`), `node`, `standby`,
    /// `sessions`, `moves`, `recentMoves` (the last ``SMQClientStatus/recentLimit``, times in milliseconds), `waiting`
    /// (messages in the outbox and newest values that no broker has), `waitingBytes` (bytes before the socket), `dropped`
    /// (messages given up).
    public var health: JSONObject {
        let status = currentStatus
        let delivery = deliveryCounters
        return JSONObject([
            ("state", .string(status.node == nil ? "connecting" : "connected")),
            ("node", status.node.map { .string($0) } ?? .null),
            ("standby", status.standby.map { .string($0) } ?? .null),
            ("sessions", .integer(Int64(clamping: status.sessions))),
            ("moves", .integer(Int64(clamping: status.moves))),
            ("recentMoves", .array(status.recentMoves.map(\.json))),
            ("waiting", .integer(Int64(clamping: delivery.messagesWaiting))),
            ("waitingBytes", .integer(Int64(state.withLock { $0.outgoingBytes }))),
            ("dropped", .integer(Int64(clamping: delivery.messagesGivenUp))),
        ])
    }
}

extension SMQMove {
    fileprivate var json: JSONValue {
        .object(
            JSONObject([
                ("from", .string(from)), ("to", .string(to)), ("cause", .string(cause.rawValue)),
                ("reason", .string(reason)), ("gap", .integer(gap.wholeNanoseconds / 1_000_000)),
                ("silence", .integer(silence.wholeNanoseconds / 1_000_000)),
            ]))
    }
}

extension SMQDeliveryCounters {
    /// Messages and newest values that wait to be delivered.
    public var messagesWaiting: UInt64 {
        high.waiting + normal.waiting + low.waiting + UInt64(clamping: latestWaiting)
    }

    /// Messages given up, for whatever reason.
    public var messagesGivenUp: UInt64 { SMQDropReason.allCases.reduce(0) { $0 + given(up: $1) } }
}
