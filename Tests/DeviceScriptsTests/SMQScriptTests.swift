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
            trace("refused", select(2, pcall(require"smq.hub".create, {onpublish=print})))
            trace("isSMQ", require"smq.hub".isSMQ())
            """)
        for line in ["hub\t1", "Invalidarg onpublish", "isSMQ\tnil\trequests"] { try await rig.writes(line) }
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
