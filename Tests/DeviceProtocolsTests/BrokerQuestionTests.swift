import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

/// What a broker asks about before it does it.
@Suite struct BrokerQuestionTests {
    private func topic(_ question: SMQQuestion?) -> (SMQTopicRequest.Operation, String)? {
        guard case .topic(let request)? = question else { return nil }
        return (request.operation, request.name)
    }

    private func message(_ question: SMQQuestion?) -> SMQPublishRequest? {
        guard case .message(let request)? = question else { return nil }
        return request
    }

    @Test func aNameWaitsForItsAnswerAndWhatCameLaterWaitsWithIt() throws {
        let bench = BrokerBench()
        bench.machine.asks = .topics
        let client = try bench.open("client")
        let other = try bench.open("other-client")
        bench.send(client) {
            $0.writeSMQ(.create, text: "one")
            $0.writeSMQ(.subscribe, text: "two")
            $0.writeSMQ(.createsub, text: "three")
            $0.writeSMQ(.ping)
        }
        #expect(try bench.frames(client) == [], "nothing is done before the answer")
        let first = try #require(topic(bench.questions.first?.question))
        #expect(first == (.create, "one"))
        // Others do not wait.
        bench.send(other) { $0.writeSMQ(.ping) }
        #expect(try bench.frames(other) == [.pong])
        try bench.answer(true)
        guard case .ack(.createack, true, let id, _)? = try bench.frames(client).first else { throw Unexpected() }
        #expect(id != 0 && bench.answered.isEmpty)
        let second = try #require(topic(bench.questions.first?.question))
        #expect(second == (.subscribe, "two"))
        try bench.answer(false)
        let rest = try bench.frames(client)
        #expect(rest.first == .ack(.suback, accepted: false, id: 0, name: ByteBuffer(string: "two")))
        #expect(rest.map(\.type) == [.suback, .createsuback, .pong])
        #expect(bench.answered == [client.peer] && bench.questions.isEmpty)
        #expect(bench.machine.statistics.denied == 1 && bench.machine.statistics.asked == 2)
    }

    @Test func whatIsKnownIsNotAskedAgain() throws {
        let bench = BrokerBench()
        bench.machine.asks = [.topics, .subtopics]
        let client = try bench.open("client")
        for (type, answer) in [
            (SMQMessageType.create, SMQMessageType.createack), (.subscribe, .suback), (.createsub, .createsuback),
        ] {
            bench.send(client) { $0.writeSMQ(type, text: "name") }
            try bench.answer(true)
            bench.send(client) { $0.writeSMQ(type, text: "name") }
            #expect(bench.questions.isEmpty, "\(type)")
            #expect(try bench.frames(client).map(\.type) == [answer, answer])
        }
        // What was refused is.
        bench.send(client) { $0.writeSMQ(.create, text: "secret") }
        try bench.answer(false)
        bench.send(client) { $0.writeSMQ(.create, text: "secret") }
        #expect(bench.questions.count == 1)
    }

    @Test func whoKnowsAnIDIsAskedAboutWhenItPublishesThere() throws {
        let bench = BrokerBench()
        let listener = try bench.open("listener")
        let id = try bench.subscribe(listener, "topic")
        bench.machine.asks = .topics
        let good = try bench.open("good-client")
        let bad = try bench.open("bad-client")
        for (client, isPermitted) in [(good, true), (bad, false)] {
            bench.publish(client, to: id, "first")
            bench.publish(client, to: id, "second")
            let question = try #require(topic(bench.questions.first?.question))
            #expect(question == (.create, "topic"))
            try bench.answer(isPermitted)
            bench.publish(client, to: id, "third")
            #expect(bench.questions.isEmpty)
            let payloads = try bench.frames(listener).map(\.payload)
            #expect(payloads == (isPermitted ? ["first", "second", "third"] : []))
        }
        #expect(bench.machine.statistics.forbidden == 3)
        // And when it wants to know who listens.
        bench.send(bad) { $0.writeSMQ(.observe, id: id) }
        try bench.answer(false)
        #expect(try bench.frames(bad) == [])
        bench.send(bad) { $0.writeSMQ(.observe, id: id) }
        try bench.answer(true)
        #expect(try bench.frames(bad) == [.change(id: id, subscribers: 1)])
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func everyMessageIsAskedAbout(_ framing: SMQFraming) throws {
        let bench = BrokerBench()
        let listener = try bench.open("listener")
        let id = try bench.subscribe(listener, "topic")
        bench.send(listener) { $0.writeSMQ(.createsub, text: "sub") }
        guard case .ack(_, true, let subtopic, _)? = try bench.frames(listener).first else { throw Unexpected() }
        let client = try bench.open("client", framing: framing)
        bench.machine.asks = .messages
        bench.send(client) {
            for text in ["one", "two", "three"] {
                $0.writeSMQPublish(
                    to: id, from: client.etid, subtopic: subtopic, payload: ByteBuffer(string: text))
            }
            $0.writeSMQPublish(to: listener.etid, from: client.etid, subtopic: 0, payload: ByteBuffer(string: "four"))
            $0.writeSMQ(.ping)
        }
        let first = try #require(message(bench.questions.first?.question))
        #expect(first.publisher == client.etid && first.destination == id && first.topic == "topic")
        #expect(first.subtopic == subtopic && first.subtopicName == "sub" && first.payload == ByteBuffer(string: "one"))
        for answer in [true, false, true] { try bench.answer(answer) }
        #expect(try bench.frames(client) == [], "the ping waits for the fourth message")
        #expect(message(bench.questions.first?.question)?.topic == nil)
        try bench.answer(true)
        #expect(try bench.frames(client) == [.pong])
        #expect(try bench.frames(listener).map(\.payload) == ["one", "three", "four"])
        #expect(bench.machine.statistics.forbidden == 1 && bench.machine.statistics.messagesReceived == 4)
    }

    @Test func anyPiecesLeadToTheSame() throws {
        func run(_ split: Int) throws -> [String] {
            let bench = BrokerBench()
            let listener = try bench.open("listener")
            let id = try bench.subscribe(listener, "topic")
            let client = try bench.open("client")
            bench.machine.asks = [.topics, .messages]
            let stream = bytes {
                for text in ["one", "two", "three"] {
                    $0.writeSMQPublish(to: id, from: client.etid, subtopic: 0, payload: ByteBuffer(string: text))
                }
            }
            bench.receive(client.peer, try #require(stream.getSlice(at: 0, length: split)))
            bench.receive(client.peer, try #require(stream.getSlice(at: split, length: stream.readableBytes - split)))
            while !bench.questions.isEmpty {
                try bench.answer(message(bench.questions.first?.question)?.payload != ByteBuffer(string: "two"))
            }
            return try bench.frames(listener).map(\.payload)
        }
        for split in 0...56 { #expect(try run(split) == ["one", "three"], "split at \(split)") }
    }

    @Test func aFragmentedMessageIsOneQuestion() throws {
        let bench = BrokerBench()
        let listener = try bench.open("listener")
        let id = try bench.subscribe(listener, "topic")
        let client = try bench.open("client")
        bench.machine.asks = .messages
        bench.send(client) {
            $0.writeSMQPublish(.pubfrag, to: 0, from: client.etid, subtopic: 0, payload: ByteBuffer(string: "on"))
            $0.writeSMQPublish(.pubfrag, to: id, from: client.etid, subtopic: 0, payload: ByteBuffer(string: "e"))
        }
        #expect(message(bench.questions.first?.question)?.payload == ByteBuffer(string: "one"))
        try bench.answer(true)
        #expect(try bench.frames(listener).map(\.payload) == ["one"])
    }

    @Test func noAnswerIsARefusalAndALateOneChangesNothing() throws {
        var limits = SMQBrokerLimits()
        limits.question = .seconds(1)
        let bench = BrokerBench(limits)
        bench.machine.asks = .topics
        let client = try bench.open("client")
        bench.send(client) { $0.writeSMQ(.create, text: "one") }
        let late = try #require(bench.questions.first)
        bench.tick(after: .milliseconds(900))
        #expect(try bench.frames(client) == [])
        bench.tick(after: .milliseconds(200))
        #expect(try bench.frames(client) == [.ack(.createack, accepted: false, id: 0, name: ByteBuffer(string: "one"))])
        #expect(bench.machine.statistics.unanswered == 1 && bench.answered == [client.peer])
        bench.send(client) { $0.writeSMQ(.create, text: "two") }
        bench.machine.answer(late.peer, late.number, true, now: bench.now)
        bench.settle()
        #expect(try bench.frames(client) == [], "the answer is not about this question")
    }

    /// Nothing is read from it, so it cannot answer a ping.
    @Test func aClientThatWaitsIsNotTakenForDead() throws {
        var limits = SMQBrokerLimits()
        limits.question = .seconds(600)
        let bench = BrokerBench(limits)
        bench.machine.asks = .topics
        let client = try bench.open("client")
        bench.send(client) { $0.writeSMQ(.create, text: "one") }
        for _ in 0..<10 { bench.tick(after: .seconds(20)) }
        try bench.answer(true)
        bench.tick(after: .seconds(5))
        #expect(bench.closed.isEmpty)
        #expect(try bench.frames(client).map(\.type) == [.createack])
    }

    @Test func whatIsHeldHasALimit() throws {
        var limits = SMQBrokerLimits()
        limits.heldInputBytes = 100
        let bench = BrokerBench(limits)
        bench.machine.asks = .topics
        let client = try bench.open("client")
        bench.send(client) { $0.writeSMQ(.create, text: "one") }
        for _ in 0..<34 { bench.send(client) { $0.writeSMQ(.ping) } }
        #expect(bench.closed[client.peer] == .protocolViolation)
        // An answer for one that is gone changes nothing.
        try bench.answer(true)
        #expect(bench.machine.topicCount == 0)
    }

    @Test func ownClientsAreNotAskedAbout() throws {
        let bench = BrokerBench(authenticates: true)
        bench.machine.asks = [.topics, .subtopics, .messages]
        let peer = try bench.attach()
        _ = try bench.frames(peer)
        bench.connect(peer, uid: "own-client")
        bench.complete(peer, .acceptOwn)
        let client = BrokerBench.Client(peer: peer, etid: try bench.accepted(peer))
        let id = try bench.subscribe(client, "topic")
        bench.publish(client, to: id, "x")
        #expect(try bench.frames(client).map(\.payload) == ["x"])
        #expect(bench.questions.isEmpty)
    }

    @Test func messagesThatNobodyGetsAreTold() throws {
        let bench = BrokerBench()
        let client = try bench.open("client")
        let id = try bench.create(client, "topic")
        bench.publish(client, to: id, "unheard")
        #expect(bench.machine.takeDroppedMessages().isEmpty, "nobody wants to know")
        bench.machine.asks = .drops
        bench.send(client) {
            $0.writeSMQPublish(to: id, from: client.etid, subtopic: 7, payload: ByteBuffer(string: "one"))
            $0.writeSMQPublish(to: 0x7777, from: client.etid, subtopic: 0, payload: ByteBuffer(string: "two"))
        }
        let dropped = bench.machine.takeDroppedMessages()
        #expect(dropped.map(\.topic) == ["topic", nil] && dropped.map(\.destination) == [id, 0x7777])
        #expect(dropped.map(\.subtopic) == [7, 0] && dropped.map { String(buffer: $0.payload) } == ["one", "two"])
        #expect(bench.questions.isEmpty && bench.machine.takeDroppedMessages().isEmpty)
    }
}

extension SMQFrame {
    /// The text of a published message; empty for other frames.
    fileprivate var payload: String {
        if case .publish(_, _, _, let payload) = self { String(buffer: payload) } else { "" }
    }
}
