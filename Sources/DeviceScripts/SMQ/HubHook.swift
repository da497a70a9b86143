import DeviceCore
import DeviceLua
import DeviceProtocols
import NIOCore

/// The functions of `smq.hub.create`'s options that the broker asks and tells, in the terms of scripts.
enum HubHook {
    /// All of them.
    static let names = [
        "onconnect", "onclose", "authenticate", "permittop", "permitsubtop", "onpublish", "ondrop",
    ]

    /// What the broker has to ask and tell for a script that has these functions.
    static func kinds(of names: [String]) -> SMQQuestionKinds {
        var kinds: SMQQuestionKinds = []
        if names.contains("permittop") { kinds.insert(.topics) }
        if names.contains("permitsubtop") { kinds.insert(.subtopics) }
        if names.contains("onpublish") { kinds.insert(.messages) }
        if names.contains("ondrop") { kinds.insert(.drops) }
        return kinds
    }

    /// `permittop(topic, issubscribe, peer)`, `permitsubtop(subtopic, peer)` and `onpublish(data, ptid, tid, subtid, peer)`
    /// give true to permit. A function that fails refuses.
    static func decide(
        _ question: SMQQuestion, _ peer: ScriptHub.Peer, _ names: [String], _ target: ScriptTarget,
        _ client: ScriptSMQClient
    ) async -> Bool {
        let answer =
            switch question {
            case .topic(let request) where request.operation == .createSubtopic:
                await target.callAndWait("hub permitsubtop", [.string(request.name), peer.table])
            case .topic(let request):
                await target.callAndWait(
                    "hub permittop", [.string(request.name), .boolean(request.operation == .subscribe), peer.table])
            case .message(let message):
                await target.callAndWait("hub onpublish", arguments(message, peer, client))
            }
        guard case .returned(let values) = answer else { return false }
        return values.first?.isTrue == true
    }

    /// Topics have the numbers of the hub, so that `hub:tid2topic` knows them; those of clients are the broker's.
    static func arguments(
        _ message: SMQPublishRequest, _ peer: ScriptHub.Peer, _ client: ScriptSMQClient
    ) -> [LuaValue] {
        let topic = message.topic.map { client.topicNumber($0) } ?? message.destination
        let subtopic = message.subtopicName.map { client.subtopicNumber($0) } ?? message.subtopic
        return [
            .bytes(Array(message.payload.readableBytesView)), .integer(Int64(message.publisher)),
            .integer(Int64(topic)),
            .integer(Int64(subtopic)), peer.table,
        ]
    }
}

/// Messages that nobody got, on their way to a script's `ondrop`, one at a time: a script that is slower than they come
/// is not told of the oldest, and the log says of how many.
final class HubDrops: Sendable {
    /// Messages that wait; each has at most 64 KB.
    static let limit = 64

    private let waiting = BoundedStream<(SMQPublishRequest, ScriptHub.Peer)>(limit: limit)
    private let task: Task<Void, Never>

    init(_ target: ScriptTarget, _ client: ScriptSMQClient, _ app: LuaApp) {
        task = Task { [waiting] in
            var told: UInt64 = 0
            for await (message, peer) in waiting {
                let dropped = waiting.dropped
                if dropped > told {
                    let count = dropped - told
                    told = dropped
                    _ = app.post { $0.write(.error, "smq.hub: ondrop was not told of \(count) messages") }
                }
                _ = await target.callAndWait("hub ondrop", HubHook.arguments(message, peer, client))
            }
        }
    }

    func send(_ message: SMQPublishRequest, _ peer: ScriptHub.Peer) { waiting.send((message, peer)) }

    func close() {
        waiting.finish()
        task.cancel()
    }
}

extension ScriptHub.Peer {
    /// As scripts get it.
    var table: LuaValue {
        .table(
            LuaTable(named: [
                ("tid", .integer(Int64(etid))), ("uid", .bytes(uid)), ("info", .string(information)),
            ]))
    }
}
