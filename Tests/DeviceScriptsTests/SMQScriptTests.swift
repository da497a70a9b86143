import ClusterClient
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceScripts
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport
import Testing

/// A broker on a port of loopback.
struct ScriptBroker {
    let broker: SMQBroker
    let listener: HTTPListener
    var url: BrokerURL { get throws { try BrokerURL("smq://127.0.0.1:\(listener.address.port)/smq.lsp") } }

    static func start(
        port: Int = 0, _ configuration: SMQBroker.Configuration = SMQBroker.Configuration()
    ) async throws -> ScriptBroker {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let broker = SMQBroker(configuration, eventLoop: loop, logger: Logger(label: "test"))
        let listener = try await HTTPListener.start(
            on: ListenAddress(host: "127.0.0.1", port: port), eventLoop: loop, routes: broker.routes(),
            logger: Logger(label: "test"))
        return ScriptBroker(broker: broker, listener: listener)
    }

    func stop() async {
        await listener.close()
        await broker.shutDown()
    }

    /// How clients of a test reach it, patiently.
    func configuration(_ uid: String = "unused") throws -> SMQClientConfiguration {
        Self.configuration([try url], uid)
    }

    /// How clients of a test reach nodes, patiently.
    static func configuration(_ brokers: [BrokerURL], _ uid: String = "unused") -> SMQClientConfiguration {
        var configuration = SMQClientConfiguration(brokers: brokers, uid: Array(uid.utf8))
        configuration.attempts.backOff = BackOff(base: .milliseconds(10), cap: .milliseconds(100))
        configuration.attempts.connectDeadline = .seconds(30)
        configuration.attempts.handshakeDeadline = .seconds(30)
        configuration.attempts.attemptLimit = 1000
        configuration.liveness = LivenessSettings(pingAfter: .seconds(60), pingTimeout: .seconds(30))
        return configuration
    }
}

@Suite(.timeLimit(.minutes(3))) struct SMQScriptTests {
    @Test func messagesGoThereAndBack() async throws {
        let node = try await ScriptBroker.start()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: try node.configuration()))
        try await rig.run(
            """
            smq = require"smq.client".create(nil, {uid="script-one", info="test"})
            function smq.onconnect(etid, rnd, ip)
               trace("connected", etid == smq:gettid(), ip)
               smq:subscribe("/t", "sub", {datatype="json", onmsg=function(data, ptid, tid, subtid)
                  trace("json", data.n, ptid == smq:gettid(), smq:tid2topic(tid), smq:tid2subtopic(subtid))
               end})
               smq:subscribe("/t", "raw", {onmsg=function(data) trace("raw", #data) end,
                  onack=function(ok, topic, tid, subtopic) trace("ack", ok, topic, tid == smq:topic2tid"/t", subtopic) end})
               smq:subscribe("self", {onmsg=function(data, ptid) trace("self", data) end})
               smq:subscribe("/rest")
               smq:observe("/t", function(count, topic) trace("observed", count, topic) end)
               smq:publish({n=42}, "/t", "sub")
               smq:publish("\\0\\255", "/t", "raw")
               smq:publish("hello", etid)
               smq:publish("caught", "/rest")
            end
            function smq.onmsg(data) trace("onmsg", data) end
            """)
        for line in [
            "connected\ttrue\t127.0.0.1", "json\t42\ttrue\t/t\tsub", "raw\t2", "ack\ttrue\t/t\ttrue\traw",
            "self\thello",
            "onmsg\tcaught", "observed\t",
        ] { try await rig.writes(line) }
        await rig.host.stop()
        await node.stop()
    }

    @Test func aScriptGivesTheCredentials() async throws {
        var configuration = SMQBroker.Configuration()
        let seen = Locked<[UInt8]>([])
        configuration.authenticate = { request in
            let bytes = Array(request.credentials.readableBytesView)
            seen.withLock { $0 = bytes }
            return .accept
        }
        let node = try await ScriptBroker.start(configuration)
        let rig = ScriptRig(messaging: ScriptMessaging(standard: nil))
        try await rig.run(
            """
            smq = require"smq.client".create("\(try node.url)", {uid="script-auth"})
            function smq.onauth(rnd, ip) return math.type(rnd) == "integer" and ip == "127.0.0.1" and "secret" end
            function smq.onconnect() trace"in" end
            """)
        try await rig.writes("in")
        #expect(seen.withLock { $0 } == Array("secret".utf8))
        await rig.host.stop()
        await node.stop()
    }

    @Test func withoutABrokerPublishingIsFalse() async throws {
        let rig = ScriptRig(
            messaging: ScriptMessaging(
                standard: SMQClientConfiguration(brokers: [try BrokerURL("smq://127.0.0.1:1/smq.lsp")], uid: [])))
        try await rig.run(
            """
            smq = require"smq.client".create(nil, {uid="script-two"})
            trace("publish", smq:publish("x", "/t"))
            function smq.onclose(err, again) if not told then told = true trace("closed", again) end return true end
            """)
        try await rig.writes("publish\tfalse\tno broker is connected")
        try await rig.writes("closed\ttrue")
        await rig.host.stop()
    }

    @Test func aScriptThatGivesUpIsClosed() async throws {
        let rig = ScriptRig(
            messaging: ScriptMessaging(
                standard: SMQClientConfiguration(brokers: [try BrokerURL("smq://127.0.0.1:1/smq.lsp")], uid: [])))
        try await rig.run(
            """
            smq = require"smq.client".create(nil, {uid="script-three"})
            function smq.onclose() return false end
            timer = ba.timer(function() local ok, err = pcall(smq.publish, smq, "x", "/t") if ok then return true end trace(err) end)
            timer:set(20)
            """)
        try await rig.writes("CLOSED")
        await rig.host.stop()
    }

    @Test func anotherNodeIsFoundAndTheScriptHearsOnlyOfIt() async throws {
        let first = try await ScriptBroker.start()
        let port = first.listener.address.port
        let rig = ScriptRig(messaging: ScriptMessaging(standard: try first.configuration()))
        try await rig.run(
            """
            smq = require"smq.client".create(nil, {uid="script-four"})
            smq:subscribe("/t", {onmsg=function(data) trace("got", data) end})
            function smq.onconnect() trace"first" smq:publish("one", "/t") end
            function smq.onreconnect() trace"again" smq:publish("two", "/t") end
            function smq.onclose() trace"lost" return true end
            """)
        try await rig.writes("got\tone")
        await first.stop()
        try await rig.writes("lost")
        let second = try await ScriptBroker.start(port: port)
        try await rig.writes("again")
        // Its subscription holds across sessions.
        try await rig.writes("got\ttwo")
        await rig.host.stop()
        await second.stop()
    }

    @Test func theHubIsTheProgramsOwnBroker() async throws {
        let node = try await ScriptBroker.start()
        let configuration = try node.configuration()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: configuration, hub: configuration))
        try await rig.run(
            """
            hub = require"smq.hub".create()
            function hub.onconnect()
               hub:subscribe("/h", {json=true, onmsg=function(data) trace("hub", data.x) end})
               hub:publish({x=1}, "/h")
            end
            trace("isSMQ", require"smq.hub".isSMQ())
            """)
        for line in ["hub\t1", "isSMQ\tnil\trequests"] { try await rig.writes(line) }
        await rig.host.stop()
        await node.stop()
    }

    /// A broker with scripts' hooks, as LEDDemo carries one, and how its own clients reach it.
    private func hooked() async throws -> (ScriptBroker, ScriptHub, SMQClientConfiguration) {
        let hub = ScriptHub(secret: [UInt8](repeating: 7, count: 16))
        var configuration = SMQBroker.Configuration()
        configuration.authenticate = { await hub.authenticate($0) }
        configuration.onSession = { hub.changed($0) }
        configuration.questions = SMQBroker.Questions(
            wanted: { hub.wanted }, decide: { await hub.decide($0) }, onDrop: { hub.dropped($0) })
        let node = try await ScriptBroker.start(configuration)
        hub.follow { [broker = node.broker] limit in await broker.names(limit: limit) }
        var own = try node.configuration()
        own.brokers = [try BrokerURL("smq://127.0.0.1:\(node.listener.address.port)/smq.lsp?\(hub.ownQuery)")]
        return (node, hub, own)
    }

    @Test func aHubHearsOfClients() async throws {
        let (node, hooks, own) = try await hooked()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: nil, hub: own, hooks: hooks))
        try await rig.run(
            """
            hub = require"smq.hub".create{
               onconnect=function(etid, info, peer)
                  if info.info ~= "test" then return end
                  trace("came", peer.tid == etid, peer.uid, info.uid, info.ip, info.url)
                  trace("known", hub:etid2peer(etid).info, hub:etid2peer(1))
                  for id, peer in hub:peers() do if id == etid then trace("listed", peer.uid) end end
               end,
               onclose=function(etid, sock, peer, err) trace("went", sock, peer.uid, err, (hub:etid2peer(etid))) end}
            """)
        try await rig.run(
            """
            smq = require"smq.client".create("\(try node.url)", {uid="script-guest", info="test"})
            function smq.onconnect() ba.sleep(50) smq:close() end
            """, name: "guest")
        for line in [
            "came\ttrue\tscript-guest\tscript-guest\t127.0.0.1\t/smq.lsp", "known\ttest\tnil", "listed\tscript-guest",
            "went\tnil\tscript-guest\tclient-disconnected\tnil",
        ] { try await rig.writes(line) }
        #expect(!rig.lines.contains { $0.contains(hooks.ownQuery) }, "no script sees the secret")
        await rig.host.stop()
        await node.stop()
    }

    @Test func aHubLetsIn() async throws {
        let (node, hooks, own) = try await hooked()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: own, hub: own, hooks: hooks))
        try await rig.run(
            """
            hub = require"smq.hub".create{authenticate=function(credentials, info)
               trace("asked", credentials, info.uid, math.type(info.seed), info.ip)
               if credentials == "broken" then error"broken" end
               if credentials == "secret" then return 0 end
               return 3, "not with " .. credentials
            end}
            function hub.onconnect() trace"own hub" end
            """)
        // The program's own are not asked, or it would shut itself out.
        try await rig.writes("own hub")
        for word in ["secret", "wrong", "broken"] {
            try await rig.run(
                """
                smq = require"smq.client".create("\(try node.url)", {uid="script-\(word)"})
                function smq.onauth() return "\(word)" end
                function smq.onconnect() trace"\(word): in" end
                function smq.onclose(why) trace("\(word): out", why) return false end
                """, name: word)
        }
        for line in ["asked\tsecret\tscript-secret\tinteger\t127.0.0.1", "secret: in", "wrong: out", "broken: out"] {
            try await rig.writes(line)
        }
        #expect(rig.lines.contains { $0.hasPrefix("wrong: out") && $0.contains("not with wrong") }, "\(rig.lines)")
        await rig.host.stop()
        // With the script its hooks are gone.
        let other = ScriptRig(messaging: ScriptMessaging(standard: nil))
        try await other.run(
            """
            smq = require"smq.client".create("\(try node.url)", {uid="script-late"})
            function smq.onauth() return "wrong" end
            function smq.onconnect() trace"late: in" end
            """)
        try await other.writes("late: in")
        await other.host.stop()
        await node.stop()
    }

    @Test func aHubPermitsTopicsAndMessages() async throws {
        let (node, hooks, own) = try await hooked()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: nil, hub: own, hooks: hooks))
        try await rig.run(
            """
            hub = require"smq.hub".create{
               permittop=function(topic, issub, peer)
                  trace("topic", topic, issub, peer.uid, peer.info)
                  if topic == "/broken" then error"broken" end
                  return topic ~= "/secret"
               end,
               permitsubtop=function(subtopic, peer) trace("subtopic", subtopic, peer.uid) return subtopic == "good" end,
               onpublish=function(data, ptid, tid, stid, peer)
                  trace("message", data, ptid == peer.tid, hub:tid2topic(tid), hub:tid2subtopic(stid), peer.uid)
                  return data ~= "bad"
               end,
               ondrop=function(data, ptid, tid, stid, peer)
                  trace("nobody", data, ptid == peer.tid, hub:tid2topic(tid), stid, peer.uid)
               end}
            function hub.onconnect()
               hub:subscribe("/open", {onmsg=function(data) trace("got", data) end})
               ba.sleep(50)
               trace"ready"
            end
            """)
        // The program's own are not asked about, or the hub would wait for itself.
        try await rig.writes("ready")
        try await rig.run(
            """
            smq = require"smq.client".create("\(try node.url)", {uid="script-guest", info="test"})
            function smq.onconnect()
               smq:subscribe("/secret", {onmsg=function() trace"leak" end})
               smq:publish("bad", "/open", "good")
               smq:publish("one", "/open", "good")
               smq:publish("leak", "/secret")
               smq:publish("leak", "/broken")
               smq:publish("two", "/open", "evil")
               smq:publish("lost", "/nobody")
               smq:publish("last", "/open")
            end
            """, name: "guest")
        for line in [
            "topic\t/secret\ttrue\tscript-guest\ttest", "topic\t/open\tfalse\tscript-guest\ttest",
            "subtopic\tgood\tscript-guest", "message\tbad\ttrue\t/open\tgood\tscript-guest",
            "message\tone\ttrue\t/open\tgood\tscript-guest", "got\tone", "subtopic\tevil\tscript-guest",
            "topic\t/broken\tfalse", "nobody\tlost\ttrue\t/nobody\t0\tscript-guest", "got\tlast",
        ] { try await rig.writes(line) }
        #expect(!rig.lines.contains { $0.contains("leak") || $0 == "got\tbad" || $0 == "got\ttwo" }, "\(rig.lines)")
        let statistics = await node.broker.snapshot().statistics
        #expect(statistics.denied >= 3 && statistics.forbidden >= 1 && statistics.unanswered == 0)
        await rig.host.stop()
        #expect(hooks.wanted == [], "with the script its hooks are gone")
        await node.stop()
    }

    /// A script that does not come back keeps only those waiting that ask for something, and not for ever.
    @Test func aHubThatNeverAnswersRefuses() async throws {
        let (node, hooks, own) = try await hooked()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: nil, hub: own, hooks: hooks))
        try await rig.run(
            """
            hub = require"smq.hub".create{
               permittop=function(topic) trace("asked", topic) while topic == "/stuck" do ba.sleep(1000) end return true end}
            """)
        try await rig.run(
            """
            smq = require"smq.client".create("\(try node.url)", {uid="script-guest"})
            function smq.onconnect() smq:publish("x", "/stuck") smq:subscribe("/after", {onmsg=function(data) trace("got", data) end}) smq:publish("y", "/after") end
            """, name: "guest")
        for line in ["asked\t/stuck", "asked\t/after", "got\ty"] { try await rig.writes(line) }
        #expect(await node.broker.snapshot().statistics.unanswered == 1)
        await rig.host.stop()
        await node.stop()
    }

    @Test func aHubListsTheTopicsOfTheBroker() async throws {
        let (node, hooks, own) = try await hooked()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: own, hub: own, hooks: hooks))
        try await rig.run(
            """
            smq = require"smq.client".create(nil, {uid="script-guest"})
            function smq.onconnect() smq:subscribe("/a", {onmsg=function() trace"there" end}) smq:publish("x", "/a", "sub") end
            """, name: "guest")
        try await rig.writes("there")
        try await rig.run(
            """
            hub = require"smq.hub".create()
            for tid, topic in hub:topics() do trace("topic", topic, hub:tid2topic(tid), hub:topic2tid(topic) == tid) end
            for tid, name in hub:subtopics() do trace("subtopic", name, hub:tid2subtopic(tid)) end
            local client = require"smq.client".create(nil, {uid="script-two"})
            trace("no hub", select(2, pcall(client.topics, client)))
            """)
        for line in ["topic\t/a\t/a\ttrue", "subtopic\tsub\tsub", "this is no hub"] { try await rig.writes(line) }
        await rig.host.stop()
        await node.stop()
    }

    @Test func aSlowScriptIsToldTheNewestDrops() async throws {
        let (node, hooks, own) = try await hooked()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: nil, hub: own, hooks: hooks))
        try await rig.run(
            """
            hub = require"smq.hub".create{ondrop=function(data)
               if data == "1" then trace"stuck" while not go do ba.sleep(5) end end
               if data == "500" then trace"last" end
            end}
            hub:subscribe("/go", {onmsg=function() go = true end})
            function hub.onconnect() ba.sleep(50) trace"ready" end
            """)
        try await rig.writes("ready")
        let client = SMQClient(try node.configuration("drop-client"))
        let running = Task { try await client.run() }
        try await eventually("connected") { client.isConnected }
        try client.publishNow(ByteBuffer(string: "1"), to: .topic("/nobody"))
        try await rig.writes("stuck")
        for number in 2...500 { try client.publishNow(ByteBuffer(string: "\(number)"), to: .topic("/nobody")) }
        try await eventually("all are dropped") { await node.broker.snapshot().statistics.unroutable >= 500 }
        try client.publishNow(ByteBuffer(string: "x"), to: .topic("/go"))
        try await rig.writes("last")
        try await rig.writes("smq.hub: ondrop was not told of")
        running.cancel()
        await rig.host.stop()
        await node.stop()
    }

    @Test(arguments: ["permittop", "permitsubtop", "onpublish", "ondrop"])
    func aHubOfAProgramThatAsksNobodySaysSo(_ name: String) async throws {
        let configuration = SMQClientConfiguration(brokers: [try BrokerURL("smq://127.0.0.1:1/smq.lsp")], uid: [])
        let rig = ScriptRig(messaging: ScriptMessaging(standard: nil, hub: configuration))
        try await rig.run("trace(select(2, pcall(require'smq.hub'.create, {\(name)=print})))")
        try await rig.writes("Invalidarg \(name): this program's broker asks no script")
        try await rig.run("trace(select(2, pcall(require'smq.hub'.create, {\(name)=1})))", name: "second")
        try await rig.writes("Invalidarg \(name)")
        await rig.host.stop()
    }

    @Test func hooksOfTheBrokerNeedPermission() async throws {
        let (node, hooks, own) = try await hooked()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: own, hub: own, hooks: hooks))
        try await rig.run("trace(select(2, pcall(require'smq.hub'.create, {authenticate=print})))") {
            $0.permissions[.hooks] = .only(["led"])
        }
        try await rig.writes("no permission for hooks: broker")
        await rig.host.stop()
        await node.stop()
    }

    @Test(arguments: [
        (#"require"smq.client".create("ftp://x")"#, "bad argument #1"),
        (#"require"smq.client".create(print)"#, "a connect function is not supported"),
        (#"require"smq.client".create("smq://127.0.0.1:1/smq.lsp", {uid="short"})"#, "Invalidarg uid"),
        (#"require"smq.client".create()"#, "this program has no broker"),
        (#"require"smq.hub".create()"#, "this program carries no broker"),
        (#"require"mqttc".create("broker", print)"#, "mqttc comes with the MQTT client"),
        (#"require"mqttc".connect("broker")"#, "mqttc comes with the MQTT client"),
    ])
    func mistakesRaise(_ text: String, _ message: String) async throws {
        let rig = ScriptRig(messaging: ScriptMessaging(standard: nil))
        try await rig.run("trace(select(2, pcall(function() \(text) end)))")
        try await rig.writes(message)
    }

    @Test func brokersNeedPermission() async throws {
        let node = try await ScriptBroker.start()
        let configuration = try node.configuration()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: configuration, hub: configuration))
        try await rig.run(
            """
            local c = require"smq.client"
            trace(select(2, pcall(c.create, "smq://evil.example/smq.lsp", {uid="script-five"})))
            trace(select(2, pcall(c.create, nil, {uid="script-five"})))
            trace(select(2, pcall(require"smq.hub".create)))
            """
        ) { $0.permissions = .none }
        try await rig.writes("no permission for hosts: evil.example")
        try await eventually("both are refused") {
            rig.lines.filter { $0.contains("no permission for hosts: broker") }.count == 2
        }
        await node.stop()
    }
}
