import DeviceCore
@testable import DeviceProtocols
import NIOCore
import Testing

@Suite struct BrokerClusterTests {
    @Test func publishesReachEverySubscriberOfEveryNodeOnce() throws {
        let bench = try LinkedBrokers(3)
        let publisher = try bench.nodes[0].open("publisher")
        let local = try bench.nodes[0].open("local subscriber")
        let remote = try bench.nodes[1].open("remote subscriber")
        let another = try bench.nodes[1].open("another subscriber", framing: .webSocket)
        let third = try bench.nodes[2].open("third subscriber")
        try bench.subscribe(0, local, "t")
        let id = try bench.subscribe(1, remote, "t")
        #expect(try bench.subscribe(1, another, "t") == id)
        let thirdID = try bench.subscribe(2, third, "t")
        let topic = try bench.nodes[0].create(publisher, "t")
        #expect(Set([topic, id, thirdID]).count == 3)
        for number in 0..<50 { bench.nodes[0].publish(publisher, to: topic, "message \(number)") }
        bench.pump()
        let expected = (0..<50).map { "message \($0)" }
        for (node, client, own) in [(0, local, topic), (1, remote, id), (1, another, id), (2, third, thirdID)] {
            let got = try bench.publishes(node, client)
            #expect(got.map(\.3) == expected)
            #expect(Set(got.map(\.0)) == [own])
            #expect(Set(got.map(\.1)).count == 1)
        }
        // Once to each node, and never on from there.
        #expect(bench.nodes[0].machine.linkStatistics.messagesSent == 100)
        #expect(bench.nodes[1].machine.linkStatistics.messagesSent == 0)
        #expect(bench.nodes[1].machine.linkStatistics.messagesReceived == 50)
    }

    @Test func nothingIsSentToNodesWithoutSubscribers() throws {
        let bench = try LinkedBrokers(2)
        let publisher = try bench.nodes[0].open("publisher")
        let subscriber = try bench.nodes[1].open("subscriber")
        let topic = try bench.nodes[0].create(publisher, "t")
        bench.publish(0, publisher, to: topic, "too early")
        let id = try bench.subscribe(1, subscriber, "t")
        bench.publish(0, publisher, to: topic, "now")
        bench.nodes[1].send(subscriber) { $0.writeSMQ(.unsubscribe, id: id) }
        bench.pump()
        bench.publish(0, publisher, to: topic, "too late")
        #expect(try bench.publishes(1, subscriber).map(\.3) == ["now"])
        #expect(bench.nodes[0].machine.linkStatistics.messagesSent == 1)
        // And again: the vendor's node ends a link that subscribes twice.
        try bench.subscribe(1, subscriber, "t")
        bench.publish(0, publisher, to: topic, "again")
        #expect(try bench.publishes(1, subscriber).map(\.3) == ["again"])
    }

    @Test func repliesFindTheirWayBack() throws {
        let bench = try LinkedBrokers(2)
        let device = try bench.nodes[0].open("device")
        let page = try bench.nodes[1].open("page..")
        try bench.subscribe(0, device, "display")
        let display = try bench.nodes[1].create(page, "display")
        bench.publish(1, page, to: display, "Hello")
        let hello = try #require(try bench.publishes(0, device).first)
        #expect(hello.1 != page.etid)
        bench.publish(0, device, to: hello.1, "I am here")
        let answer = try #require(try bench.publishes(1, page).first)
        #expect(answer.0 == page.etid)
        #expect(answer.3 == "I am here")
        bench.publish(1, page, to: answer.1, "LED on")
        let command = try #require(try bench.publishes(0, device).first)
        #expect(command.0 == device.etid && command.1 == hello.1 && command.3 == "LED on")
    }

    @Test func anObservedClientOfAnotherNodeIsReportedGone() throws {
        let bench = try LinkedBrokers(2)
        let observer = try bench.nodes[0].open("observer")
        let other = try bench.nodes[0].open("changed its mind")
        let client = try bench.nodes[1].open("client")
        try bench.subscribe(0, observer, "t")
        bench.publish(1, client, to: try bench.nodes[1].create(client, "t"), "x")
        let phantom = try #require(try bench.publishes(0, observer).first).1
        for peer in [observer, other] { bench.nodes[0].send(peer) { $0.writeSMQ(.observe, id: phantom) } }
        bench.nodes[0].send(other) { $0.writeSMQ(.unobserve, id: phantom) }
        #expect(try bench.nodes[0].frames(observer).isEmpty)
        bench.nodes[1].send(client) { $0.writeSMQ(.disconnect) }
        bench.pump()
        #expect(try bench.nodes[0].frames(observer) == [.change(id: phantom, subscribers: 0)])
        #expect(try bench.nodes[0].frames(other).isEmpty)
        #expect(bench.nodes[0].machine.phantomCount == 0)
        // It is nobody's now.
        bench.nodes[0].send(observer) { $0.writeSMQ(.observe, id: phantom) }
        #expect(try bench.nodes[0].frames(observer) == [.change(id: phantom, subscribers: 0)])
    }

    @Test func aLinkThatEndsTakesItsSubscriptionsAndClientsAlong() throws {
        let bench = try LinkedBrokers(2)
        let observer = try bench.nodes[0].open("observer")
        let client = try bench.nodes[1].open("client")
        try bench.subscribe(0, observer, "t")
        let topic = try bench.subscribe(1, client, "t")
        bench.publish(1, client, to: topic, "x")
        let phantom = try #require(try bench.publishes(0, observer).first).1
        bench.nodes[0].send(observer) { $0.writeSMQ(.observe, id: phantom) }
        bench.close(0)
        #expect(try bench.nodes[0].frames(observer) == [.change(id: phantom, subscribers: 0)])
        let sent = bench.nodes[1].machine.linkStatistics.messagesSent
        bench.publish(1, client, to: topic, "lost")
        #expect(bench.nodes[1].machine.linkStatistics.messagesSent == sent)
        _ = try bench.publishes(1, client)
        // It comes back, and everything with it.
        try bench.link(0, 1)
        bench.publish(1, client, to: topic, "again")
        #expect(try bench.publishes(0, observer).map(\.3) == ["again"])
        #expect(try bench.publishes(1, client).map(\.3) == ["again"])
    }

    @Test func takingOverAClientsPlaceIsNoReleaseOfItsId() throws {
        let bench = try LinkedBrokers(2)
        let observer = try bench.nodes[0].open("observer")
        let client = try bench.nodes[1].open("client")
        try bench.subscribe(0, observer, "t")
        let topic = try bench.nodes[1].create(client, "t")
        bench.publish(1, client, to: topic, "x")
        let phantom = try #require(try bench.publishes(0, observer).first).1
        bench.nodes[0].send(observer) { $0.writeSMQ(.observe, id: phantom) }
        let successor = try bench.nodes[1].open("client")
        bench.pump()
        #expect(try bench.nodes[0].frames(observer).isEmpty)
        bench.publish(1, successor, to: topic, "y")
        #expect(try bench.publishes(0, observer).map(\.1) == [phantom])
        bench.nodes[1].send(successor) { $0.writeSMQ(.disconnect) }
        bench.pump()
        #expect(try bench.nodes[0].frames(observer) == [.change(id: phantom, subscribers: 0)])
    }

    @Test func subtopicsAreTranslatedByName() throws {
        let bench = try LinkedBrokers(2)
        let publisher = try bench.nodes[0].open("publisher")
        let subscriber = try bench.nodes[1].open("subscriber")
        try bench.subscribe(1, subscriber, "t")
        let topic = try bench.nodes[0].create(publisher, "t")
        func subtopic(_ node: Int, _ client: BrokerBench.Client, _ name: String) throws -> UInt32 {
            bench.nodes[node].send(client) { $0.writeSMQ(.createsub, text: name) }
            guard case .ack(_, true, let id, _)? = try bench.nodes[node].frames(client).first else {
                throw Unexpected()
            }
            return id
        }
        let (led, info) = (try subtopic(0, publisher, "led"), try subtopic(0, publisher, "info"))
        let remote = try subtopic(1, subscriber, "led")
        // In one piece, before any answer can have come; then after it has.
        for _ in 0..<2 {
            bench.nodes[0].send(publisher) {
                for (index, id) in [0, led, led, info, 0, led, 4711].enumerated() {
                    $0.writeSMQPublish(to: topic, from: publisher.etid, subtopic: id, payload: text("\(index)"))
                }
            }
            bench.pump()
            let got = try bench.publishes(1, subscriber)
            #expect(got.map(\.3) == (0..<7).map { "\($0)" })
            let other = try subtopic(1, subscriber, "info")
            // What nobody has named goes as it is.
            #expect(got.map(\.2) == [0, remote, remote, other, 0, remote, 4711])
        }
        #expect(
            bench.nodes[0].machine.links[0].remoteSubtopics == [led: remote, info: try subtopic(1, subscriber, "info")])
    }

    @Test func localTopicsStayAtHome() throws {
        let bench = try LinkedBrokers(2)
        let publisher = try bench.nodes[0].open("publisher")
        let subscriber = try bench.nodes[1].open("subscriber")
        try bench.subscribe(1, subscriber, "$node/x")
        bench.publish(0, publisher, to: try bench.nodes[0].create(publisher, "$node/x"), "secret")
        #expect(try bench.publishes(1, subscriber).isEmpty)
        #expect(bench.nodes[0].machine.linkStatistics.messagesSent == 0)
        #expect(!String(buffer: bench.traffic[1]).contains("$node"))
    }

    @Test func aSubackWaitsUntilAllNodesHaveConfirmed() throws {
        let bench = try LinkedBrokers(3)
        let client = try bench.nodes[0].open("client")
        let other = try bench.nodes[0].open("other.")
        bench.nodes[0].send(client) {
            $0.writeSMQ(.subscribe, text: "t")
            $0.writeSMQ(.create, text: "u")
            $0.writeSMQ(.ping)
        }
        bench.nodes[0].send(other) { $0.writeSMQ(.subscribe, text: "t") }
        #expect(try bench.nodes[0].frames(client).isEmpty)
        #expect(try bench.nodes[0].frames(other).isEmpty)
        bench.pump()
        #expect(try bench.nodes[0].frames(client).map(\.type) == [.suback, .createack, .pong])
        #expect(try bench.nodes[0].frames(other).map(\.type) == [.suback])
        #expect(bench.nodes[0].machine.linkStatistics.confirmed == 1)
        // The topic's second subscriber need not wait.
        let third = try bench.nodes[0].open("third.")
        bench.nodes[0].send(third) { $0.writeSMQ(.subscribe, text: "t") }
        #expect(try bench.nodes[0].frames(third).map(\.type) == [.suback])
    }

    /// A node that is linked later is told of all topics; until it has confirmed, it may not know them.
    @Test func aSubackWaitsForANodeThatIsLinkedJustNow() throws {
        let bench = try LinkedBrokers(3, isLinked: false)
        try bench.link(0, 1)
        let node = bench.nodes[0]
        let clients = try (0..<4).map { try node.open("client \($0)") }
        try bench.subscribe(0, clients[0], "t")
        try bench.subscribe(0, clients[0], "u")
        bench.cut(0)
        node.send(clients[1]) { $0.writeSMQ(.subscribe, text: "waits for node 1") }
        let end = try bench.linkUpToConfirmation(0, 2)
        for client in clients[2...] { node.send(client) { $0.writeSMQ(.subscribe, text: "t") } }
        node.send(clients[2]) { $0.writeSMQ(.subscribe, text: "u") }
        for client in clients[1...] { #expect(try node.frames(client).isEmpty) }
        // Who ends a subscription disturbs nobody.
        for client in [clients[0], clients[2]] { node.detach(client.peer) }
        bench.pump()
        #expect(node.machine.isUp(end))
        #expect(try node.frames(clients[3]).map(\.type) == [.suback])
        // The other one waits for the node that does not confirm.
        #expect(try node.frames(clients[1]).isEmpty)
        bench.tick(after: .milliseconds(200))
        #expect(try node.frames(clients[1]).map(\.type) == [.suback])
        #expect(node.machine.confirmations.isEmpty && node.machine.topics.allSatisfy { $0.confirmation == 0 })
    }

    @Test func aNodeThatIsLinkedJustNowIsNotWaitedForLongerThanOthers() throws {
        let bench = try LinkedBrokers(2, isLinked: false)
        let node = bench.nodes[0]
        let clients = try (0..<2).map { try node.open("client \($0)") }
        try bench.subscribe(0, clients[0], "t")
        _ = try bench.linkUpToConfirmation(0, 1)
        bench.cut(0)
        node.send(clients[1]) { $0.writeSMQ(.subscribe, text: "t") }
        bench.tick(after: .milliseconds(199))
        #expect(try node.frames(clients[1]).isEmpty)
        bench.tick(after: .milliseconds(1))
        #expect(try node.frames(clients[1]).map(\.type) == [.suback])
        #expect(node.machine.linkStatistics.lateConfirmations == 1)
    }

    /// A node without a place for a topic does not know of the subscription, and does not say that it does.
    @Test func whatFoundNoPlaceIsNotConfirmedAndTriedAgain() throws {
        var limits = SMQBrokerLimits()
        limits.topics = 1
        let bench = try LinkedBrokers(2, limits: limits)
        let keeper = try bench.nodes[1].open("keeper")
        try bench.nodes[1].create(keeper, "kept")
        let subscriber = try bench.nodes[0].open("subscriber")
        bench.nodes[0].send(subscriber) { $0.writeSMQ(.subscribe, text: "t") }
        bench.pump()
        #expect(try bench.nodes[0].frames(subscriber).isEmpty)
        bench.tick(after: .milliseconds(200))
        #expect(try bench.nodes[0].frames(subscriber).map(\.type) == [.suback])
        #expect(bench.nodes[0].machine.linkStatistics.lateConfirmations == 1)
        for _ in 0..<5 { bench.tick(after: .milliseconds(100)) }
        #expect(bench.nodes[1].machine.linkStatistics.denied == 1)
        // There is room again.
        bench.nodes[1].detach(keeper.peer)
        bench.tick(after: .milliseconds(25))
        let publisher = try bench.nodes[1].open("publisher")
        bench.publish(1, publisher, to: try bench.nodes[1].create(publisher, "t"), "x")
        #expect(try bench.publishes(0, subscriber).map(\.3) == ["x"])
        // The next is confirmed as ever.
        bench.nodes[0].send(subscriber) { $0.writeSMQ(.unsubscribe, id: bench.nodes[0].machine.topics[0].id) }
        bench.pump()
        try bench.subscribe(0, subscriber, "t")
    }

    /// Who has unsubscribed meanwhile is not put in when there is room.
    @Test func whatFoundNoPlaceAndEndedIsForgotten() throws {
        var limits = SMQBrokerLimits()
        limits.topics = 1
        let bench = try LinkedBrokers(2, limits: limits)
        let keeper = try bench.nodes[1].open("keeper")
        try bench.nodes[1].create(keeper, "kept")
        let subscriber = try bench.nodes[0].open("subscriber")
        bench.nodes[0].send(subscriber) { $0.writeSMQ(.subscribe, text: "t") }
        bench.pump()
        bench.nodes[0].detach(subscriber.peer)
        bench.pump()
        bench.nodes[1].detach(keeper.peer)
        bench.tick(after: .milliseconds(25))
        #expect(bench.nodes[1].machine.topics.allSatisfy { $0.remoteSubscribers.isEmpty })
    }

    @Test func aSubackWaitsForNoNodeLongerThan200Milliseconds() throws {
        let bench = try LinkedBrokers(2)
        let client = try bench.nodes[0].open("client")
        bench.cut(0)
        bench.nodes[0].send(client) { $0.writeSMQ(.subscribe, text: "t") }
        bench.tick(after: .milliseconds(199))
        #expect(try bench.nodes[0].frames(client).isEmpty)
        bench.tick(after: .milliseconds(1))
        #expect(try bench.nodes[0].frames(client).map(\.type) == [.suback])
        #expect(bench.nodes[0].machine.linkStatistics.lateConfirmations == 1)
        #expect(bench.nodes[0].machine.confirmationDeadline == nil)
    }

    @Test func aLinkThatEndsIsNotWaitedFor() throws {
        let bench = try LinkedBrokers(2)
        let client = try bench.nodes[0].open("client")
        bench.cut(0)
        bench.nodes[0].send(client) { $0.writeSMQ(.subscribe, text: "t") }
        bench.close(0)
        #expect(try bench.nodes[0].frames(client).map(\.type) == [.suback])
    }

    @Test func aClientThatLeavesWhileItWaitsLeavesNothingBehind() throws {
        let bench = try LinkedBrokers(2)
        let client = try bench.nodes[0].open("client")
        bench.cut(0)
        bench.nodes[0].send(client) { $0.writeSMQ(.subscribe, text: "t") }
        bench.nodes[0].detach(client.peer)
        #expect(bench.nodes[0].machine.confirmations.isEmpty)
        #expect(bench.nodes[0].machine.topics.allSatisfy { $0.announced == 0 && $0.confirmation == 0 })
    }

    @Test func answersThatWaitHaveALimit() throws {
        var limits = SMQBrokerLimits()
        limits.heldBytes = 100
        let bench = try LinkedBrokers(2, limits: limits)
        let client = try bench.nodes[0].open("client")
        bench.cut(0)
        bench.nodes[0].send(client) {
            $0.writeSMQ(.subscribe, text: "t")
            for _ in 0..<40 { $0.writeSMQ(.ping) }
        }
        let types = try bench.nodes[0].frames(client).map(\.type)
        #expect(types.first == .suback && types.count > 30)
    }

    @Test func aNodeThatHangsIsDroppedWhenItsQueueIsFull() throws {
        var limits = SMQBrokerLimits()
        limits.queuedBytesPerLink = 100_000
        let bench = try LinkedBrokers(2, limits: limits)
        let publisher = try bench.nodes[0].open("publisher")
        let local = try bench.nodes[0].open("local subscriber")
        let remote = try bench.nodes[1].open("remote subscriber")
        try bench.subscribe(0, local, "t")
        try bench.subscribe(1, remote, "t")
        let topic = try bench.nodes[0].create(publisher, "t")
        bench.nodes[0].stuck.insert(bench.links[0].ends.0)
        bench.cut(0)
        let payload = String(repeating: "p", count: 1000)
        for _ in 0..<300 { bench.nodes[0].publish(publisher, to: topic, payload) }
        #expect(bench.nodes[0].closedLinks == [bench.links[0].ends.0: .queueFull])
        #expect(bench.nodes[0].machine.linkStatistics.closed[.queueFull] == 1)
        #expect(try bench.publishes(0, local).count == 300)
        #expect(bench.nodes[0].machine.queuedByteCount == 0)
    }

    @Test func aSilentNodeIsDead() throws {
        let bench = try LinkedBrokers(2)
        bench.cut(0)
        for _ in 0..<31 { bench.tick(after: .milliseconds(50)) }
        #expect(bench.nodes[0].closedLinks.values.map { $0 } == [.dead])
        #expect(bench.nodes[0].machine.linkStates.isEmpty)
        // One that is there stays.
        let well = try LinkedBrokers(2)
        for _ in 0..<100 { well.tick(after: .milliseconds(50)) }
        #expect(well.nodes[0].closedLinks.isEmpty)
        #expect(well.nodes[0].machine.linkStates.first?.status?.clients == 0)
        #expect(well.nodes[0].machine.linkStates.first?.name == "node 1")
    }

    @Test func oneLinkForEachPairOfNodes() throws {
        let bench = try LinkedBrokers(2)
        // The node with the larger id chooses, whoever dialled.
        let second = try bench.link(0, 1)
        #expect(bench.nodes[1].closedLinks == [bench.links[second].ends.1: .duplicate])
        #expect(bench.nodes[1].machine.linkStates.filter(\.isUp).count == 1)
        bench.nodes[0].detach(bench.links[second].ends.0)
        #expect(bench.nodes[0].machine.linkStates.filter(\.isUp).count == 1)
        #expect(bench.nodes[0].machine.linkStatistics.established == 1)
    }

    @Test func aConnectionToItselfIsNoticed() throws {
        let bench = try LinkedBrokers(1, isLinked: false)
        let node = bench.nodes[0]
        let one = try node.attachLink("127.0.0.1")
        let other = try node.attachLink("127.0.0.1")
        node.receive(one, node.wire(other))
        #expect(node.closedLinks == [one: .ownAddress])
        // No proof was given, which could be played back.
        #expect(node.wire(one).readableBytes == 18)
    }

    @Test func anotherPasswordIsCounted() throws {
        let one = BrokerBench(cluster: LinkedBrokers.settings(id: 1))
        let other = BrokerBench(cluster: LinkedBrokers.settings(id: 2, password: "another password"), ids: [77])
        let (left, right) = (try one.attachLink("10.0.0.2"), try other.attachLink("10.0.0.1"))
        for _ in 0..<3 {
            one.receive(left, other.wire(right))
            other.receive(right, one.wire(left))
        }
        #expect(other.closedLinks == [right: .wrongPassword])
        #expect(other.machine.linkStatistics.closed == [.wrongPassword: 1])
        #expect(one.machine.linkStates.isEmpty && one.machine.clientCount == 0)
    }

    /// Who is silent at the link port keeps nobody out: neither who comes later, nor this node's own dialling.
    @Test func silentConnectionsTakeNoPlaces() throws {
        let one = BrokerBench(cluster: LinkedBrokers.settings(id: 1))
        let other = BrokerBench(cluster: LinkedBrokers.settings(id: 2), ids: [77])
        let few = try (0..<40).map { number in
            one.now = one.now + .milliseconds(1)
            return try one.attachLink("10.0.0.66")
        }
        // Four from there are left, the youngest.
        #expect(one.closedLinks == Dictionary(uniqueKeysWithValues: few.prefix(36).map { ($0, .crowdedOut) }))
        for number in 0..<40 {
            one.now = one.now + .milliseconds(1)
            _ = try one.attachLink("10.0.1.\(number)")
        }
        #expect(one.closedLinks.count == 36 + 28)
        // Dialled ones have places of their own.
        for number in 0..<SMQBrokerLimits().unprovenDials {
            _ = try one.attachLink("10.0.2.\(number)", isDialed: true)
        }
        #expect(one.machine.attachLink(address: "10.0.2.99", isDialed: true, now: one.now) == nil)
        #expect(one.closedLinks.count == 36 + 28)
        #expect(one.machine.linkStatistics.refusedAtLimit == 36 + 28 + 1)
        // A node that comes now gets in, and stays when others come.
        let (left, right) = (try one.attachLink("10.0.0.2"), try other.attachLink("10.0.0.1", isDialed: true))
        for _ in 0..<4 {
            one.receive(left, other.wire(right))
            other.receive(right, one.wire(left))
        }
        #expect(one.machine.isUp(left))
        for number in 0..<40 { _ = try one.attachLink("10.0.1.\(number)") }
        #expect(one.machine.isUp(left))
    }

    @Test func linksHaveALimit() throws {
        var limits = SMQBrokerLimits()
        limits.unprovenDials = 3
        let node = BrokerBench(limits, cluster: LinkedBrokers.settings())
        for _ in 0..<3 { _ = try node.attachLink("10.0.0.2", isDialed: true) }
        let refused = node.machine.attachLink(address: "10.0.0.2", isDialed: true, now: node.now)
        #expect(refused == nil)
        #expect(node.machine.linkStatistics.refusedAtLimit == 1)
        node.tickLinks(after: .milliseconds(400))
        for _ in 0..<7 { node.tickLinks(after: .milliseconds(400)) }
        #expect(node.machine.linkStatistics.closed[.handshakeTimeout] == 3)
        _ = try node.attachLink("10.0.0.2", isDialed: true)
    }

    @Test func clientsOfOtherNodesHaveALimit() throws {
        var limits = SMQBrokerLimits()
        limits.phantoms = 5
        let bench = try LinkedBrokers(2, limits: limits)
        let observer = try bench.nodes[0].open("observer")
        try bench.subscribe(0, observer, "t")
        var known: UInt32?
        for number in 0..<12 {
            let client = try bench.nodes[1].open("client \(number)")
            bench.publish(1, client, to: try bench.nodes[1].create(client, "t"), "x")
            guard number == 0 else { continue }
            known = try bench.publishes(0, observer).first?.1
            bench.nodes[0].send(observer) { [id = try #require(known)] in $0.writeSMQ(.observe, id: id) }
        }
        #expect(bench.nodes[0].machine.phantomCount == 5)
        #expect(bench.nodes[0].machine.linkStatistics.forgottenPhantoms == 7)
        let changes = try bench.nodes[0].frames(observer).filter { $0.type == .change }
        #expect(changes == [.change(id: try #require(known), subscribers: 0)])
    }

    @Test func programsTalkToPrograms() throws {
        let bench = try LinkedBrokers(2)
        let count = bench.nodes[0].machine.publishToServers(text("hello"), subtopic: text("greeting"))
        #expect(count == 1)
        bench.nodes[0].settle()
        bench.pump()
        let message = try #require(bench.nodes[1].serverMessages.first)
        #expect(String(buffer: message.payload) == "hello" && String(buffer: message.subtopic) == "greeting")
    }

    @Test func largestMessagesPass() throws {
        let bench = try LinkedBrokers(2)
        let publisher = try bench.nodes[0].open("publisher")
        let subscriber = try bench.nodes[1].open("subscriber")
        try bench.subscribe(1, subscriber, "t")
        let topic = try bench.nodes[0].create(publisher, "t")
        let payload = String(repeating: "x", count: SMQSize.maximumPayload)
        bench.publish(0, publisher, to: topic, payload)
        bench.publish(0, publisher, to: topic, "")
        #expect(try bench.publishes(1, subscriber).map(\.3) == [payload, ""])
    }

    @Test(arguments: 0..<40) func garbageNeverTraps(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bench = try LinkedBrokers(2)
        let client = try bench.nodes[0].open("client")
        try bench.subscribe(0, client, "t")
        bench.nodes[1].send(try bench.nodes[1].open("remote")) { $0.writeSMQ(.subscribe, text: "t") }
        bench.pump()
        let own = bench.nodes[0].machine.links[0].machine
        let ids: [UInt16] = [own.smq.own, own.node.own, 0, 1, 2, 3, 5, 99]
        for _ in 0..<200 {
            var frame = ByteBuffer()
            let body = (0..<Int.random(in: 0..<40, using: &random)).map { _ in UInt8.random(in: 0...12, using: &random)
            }
            let length =
                Int.random(in: 0..<20, using: &random) == 0
                ? Int.random(in: 0...70_000, using: &random) : body.count + 6
            frame.writeInteger(UInt32(length))
            frame.writeInteger(ids.randomElement(using: &random) ?? 0)
            frame.writeBytes(body)
            bench.nodes[0].receive(bench.links[0].ends.0, frame)
        }
        bench.nodes[0].tickLinks(after: .milliseconds(100))
        // Whatever became of the link: the clients are served.
        let topic = try bench.nodes[0].create(client, "t")
        _ = try bench.nodes[0].frames(client)
        bench.nodes[0].publish(client, to: topic, "still here")
        #expect(try bench.publishes(0, client).map(\.3) == ["still here"])
    }
}
