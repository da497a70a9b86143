import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

/// Random operations of many clients, against the reference model.
@Suite struct BrokerModelTests {
    private final class Run {
        let bench = BrokerBench()
        var model = BrokerModel()
        var peers: [Int: BrokerBench.Client] = [:]
        var random: SeededRandom
        var nextKey = 0
        var step = 0
        let topics = ["", "a", "b", "/m2m/led/device"]

        init(_ seed: UInt64) { random = SeededRandom(seed: seed) }

        func anyKey() -> Int? { peers.keys.sorted().randomElement(using: &random) }

        func anyID() -> UInt32 {
            let known = model.ids.values.sorted() + model.clients.values.map(\.etid).sorted()
            return Int.random(in: 0..<12, using: &random) == 0 ? 0xdead : known.randomElement(using: &random) ?? 5
        }

        func one() throws {
            step += 1
            guard let key = anyKey(), let client = peers[key], Int.random(in: 0..<10, using: &random) > 0 else {
                return try open()
            }
            let topic = topics.randomElement(using: &random) ?? ""
            let id = anyID()
            switch Int.random(in: 0..<13, using: &random) {
            case 0, 1, 2: try resolve(key, client, .subscribe, .suback, topic)
            case 3: try resolve(key, client, .create, .createack, topic)
            case 4:
                guard let id = model.ids[topic] else { return }
                bench.send(client) { $0.writeSMQ(.unsubscribe, id: id) }
                model.unsubscribe(key, topic)
            case 5:
                bench.send(client) { $0.writeSMQ(.observe, id: id) }
                model.observe(key, id)
            case 6:
                bench.send(client) { $0.writeSMQ(.unobserve, id: id) }
                model.unobserve(key, id)
            case 7:
                bench.send(client) { $0.writeSMQ(.disconnect) }
                peers[key] = nil
                model.leave(key)
            case 8:
                bench.detach(client.peer)
                peers[key] = nil
                model.leave(key)
            default:
                bench.publish(client, to: id, "\(step)")
                model.publish(key, to: id, "\(step)")
            }
            try compare()
        }

        private func open() throws {
            guard peers.count < 8 else { return }
            let uid = "client-\(Int.random(in: 0..<10, using: &random))"
            nextKey += 1
            let framing = Bool.random(using: &random) ? SMQFraming.raw : .webSocket
            let client = try bench.open(uid, framing: framing, version: UInt8.random(in: 1...2, using: &random))
            if let old = model.open(nextKey, uid: uid, etid: client.etid), let loser = peers.removeValue(forKey: old) {
                #expect(try story(loser) == model.takeLast(old), "step \(step)")
                #expect(bench.closed[loser.peer] == .takenOver)
            }
            peers[nextKey] = client
            try compare()
        }

        private func resolve(
            _ key: Int, _ client: BrokerBench.Client, _ type: SMQMessageType, _ answer: SMQMessageType, _ topic: String
        ) throws {
            bench.send(client) { $0.writeSMQ(type, text: topic) }
            let frames = try bench.frames(client)
            guard case .ack(let given, true, let id, let name)? = frames.first, given == answer,
                String(buffer: name) == topic
            else { throw Unexpected(frame: frames.first) }
            #expect(model.ids[topic] == nil || model.ids[topic] == id, "a name kept its id")
            model.ids[topic] = id
            // The frames that follow are the client's own observations.
            if type == .subscribe { model.subscribe(key, topic) }
            let rest = frames.dropFirst().map(Run.describe).sorted()
            #expect(rest == (model.takeExpected(of: key) ?? []), "step \(step)")
        }

        func compare() throws {
            let expected = model.takeExpected()
            for (key, client) in peers {
                let got = try story(client)
                #expect(got == expected[key] ?? [], "step \(step), client \(key)")
            }
        }

        private func story(_ client: BrokerBench.Client) throws -> [String] {
            try bench.frames(client).map(Run.describe).sorted()
        }

        static func describe(_ frame: SMQFrame) -> String {
            switch frame {
            case .publish(let to, let from, _, let payload): "publish \(to) \(from) \(String(buffer: payload))"
            case .change(let id, let count): "change \(id) \(count)"
            case .disconnect(let reason): "disconnect \(reason)"
            default: "\(frame)"
            }
        }
    }

    @Test(arguments: 1...40) func behavesAsTheModel(_ seed: UInt64) throws {
        let run = Run(seed)
        for _ in 0..<400 { try run.one() }
        for client in run.peers.values { run.bench.detach(client.peer) }
        #expect(run.bench.machine.queuedByteCount == 0 && run.bench.machine.clientCount == 0)
        #expect(run.bench.machine.topicReferences == 0)
    }
}
