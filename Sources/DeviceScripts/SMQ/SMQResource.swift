import ClusterClient
import DeviceCore
import DeviceLua
import DeviceProtocols
import NIOCore

/// The object of `require"smq.client".create(url, options)` and of `require"smq.hub".create(options)`.
///
/// Callbacks are its fields: `smq.onconnect = function(etid, rnd, ip) ... end`. Those of subscriptions are kept in it,
/// so that they go with it.
final class SMQResource: LuaResource {
    static let luaClass = LuaClass(
        "smq", hasFields: true,
        methods: [
            "subscribe": { try subscribe($0) },
            "unsubscribe": { try unsubscribe($0) },
            "publish": { try publish($0) },
            "create": { try create($0, isSubtopic: false) },
            "createsub": { try create($0, isSubtopic: true) },
            "observe": { try observe($0) },
            "unobserve": { try unobserve($0) },
            "gettid": { call in
                call.push(Int64(try client(call).client.ownPeer?.id ?? 0))
                return .pushed
            },
            "tid2topic": { call in try name(call) { $0.topicName($1) } },
            "tid2subtopic": { call in try name(call) { $0.subtopicName($1) } },
            "topic2tid": { call in try number(call) { $0.knownTopic($1) } },
            "subtopic2tid": { call in try number(call) { $0.knownSubtopic($1) } },
            "peers": { try peers($0) },
            "etid2peer": { try peer($0) },
            "topics": { try names($0) { names, client in names.topics.map { ($0, client.topicNumber($0)) } } },
            "subtopics": { try names($0) { names, client in names.subtopics.map { ($0, client.subtopicNumber($0)) } } },
            "connect": { _ in
                .failure(
                    "requests of a web server do not reach scripts here: clients connect to the program's own broker")
            },
            "status": { call in
                let status = try client(call).client.currentStatus
                return .values([.boolean(status.node != nil), status.node.map { .string($0) } ?? .nil])
            },
            "close": { call in
                try call.close()
                return .success
            },
            "shutdown": { call in
                try call.close()
                return .success
            },
        ])

    /// A subscription's function and how it wants its data.
    private struct Handler {
        let function: LuaFunction
        let isJSON: Bool
    }

    private(set) var client: ScriptSMQClient?
    private var handlers: [ScriptSMQClient.Subscription: Handler] = [:]
    private var observers: [ScriptSMQClient.Target: LuaFunction] = [:]
    private var object: LuaObject?
    private var hub: (hooks: ScriptHub, id: UInt64?, drops: HubDrops?)?

    func close(in context: LuaContext) {
        client?.close()
        if let hub, let id = hub.id { hub.hooks.remove(id) }
        hub?.drops?.close()
        hub = nil
        client = nil
        handlers = [:]
        observers = [:]
    }

    private static func client(_ call: LuaCall) throws -> ScriptSMQClient {
        guard let client = try call.resource(0, as: SMQResource.self).client else { throw LuaError("CLOSED") }
        return client
    }

    // MARK: Making one

    /// Makes the object, and a client that begins to connect.
    static func open(
        _ call: LuaCall, _ configuration: SMQClientConfiguration, _ messaging: ScriptMessaging,
        keeping kept: [(String, LuaValue)] = [], then begin: (SMQResource, LuaObject) throws -> Void = { _, _ in }
    ) throws -> LuaOutcome {
        let context = call.context
        let resource = SMQResource()
        let object = try context.add(resource, keeping: kept)
        resource.object = object
        let app = context.app
        var configuration = configuration
        let target = ScriptTarget(context, activity: "smq onauth")
        target.name(object)
        if configuration.credentials == nil {
            configuration.credentials = { seed, address in
                guard
                    case .returned(let values) = await target.callAndWait(
                        "onauth", [.integer(Int64(seed)), .string(address)]),
                    case .bytes(let bytes)? = values.first
                else { return [] }
                return bytes
            }
        }
        let client = ScriptSMQClient(messaging.makeClient(configuration)) { event in
            app.post { context in (context.resource(object) as? SMQResource)?.take(event, context) }
        }
        resource.client = client
        do { try begin(resource, object) } catch {
            context.close(object)
            throw error
        }
        // Fields are set after `create` has returned: what comes before would find none.
        app.post { context in
            // The app may have closed it in the meantime.
            guard context.resource(object) != nil else { return }
            client.start()
        }
        return .value(.object(object))
    }

    // MARK: A hub's clients

    /// A client of the program's own broker, with the hooks of its options.
    static func openHub(
        _ call: LuaCall, _ configuration: SMQClientConfiguration, _ messaging: ScriptMessaging, _ hooks: ScriptHub?,
        _ options: ConfigTable
    ) throws -> LuaOutcome {
        var kept: [(String, LuaValue)] = []
        if let function = try options.function("onmsg") { kept.append(("onmsg", .function(function))) }
        let names = try HubHook.names.filter { name in
            guard let function = try options.function(name) else { return false }
            // Not by the bare name, which is the object's own session's.
            kept.append(("hub \(name)", .function(function)))
            return true
        }
        if !names.isEmpty {
            try call.context.require(.hooks, "broker")
            guard hooks != nil else {
                throw LuaError("Invalidarg \(names.joined(separator: ", ")): this program's broker asks no script")
            }
        }
        let target = ScriptTarget(call.context, activity: "smq hub")
        var asked: (@Sendable (SMQConnectRequest) async -> SMQConnectDecision)?
        if names.contains("authenticate") { asked = { request in await decision(on: request, by: target) } }
        var own = ScriptHub.Hooks(authenticate: asked, changed: { change, peer in inform(target, change, peer) })
        own.asks = HubHook.kinds(of: names)
        func begin(_ resource: SMQResource, _ object: LuaObject) throws {
            target.name(object)
            guard let hooks, let client = resource.client else { return }
            resource.hub = (hooks, nil, nil)
            guard !names.isEmpty else { return }
            own.decide = { question, peer in await HubHook.decide(question, peer, names, target, client) }
            if own.asks.contains(.drops) {
                let drops = HubDrops(target, client, call.context.app)
                own.dropped = { message, peer in drops.send(message, peer) }
                resource.hub?.drops = drops
            }
            resource.hub?.id = try hooks.add(own)
        }
        return try open(call, configuration, messaging, keeping: kept, then: begin)
    }

    private static func inform(_ target: ScriptTarget, _ change: SMQSessionChange, _ peer: ScriptHub.Peer) {
        let etid = LuaValue.integer(Int64(change.etid))
        if let end = change.end {
            target.call("hub onclose", [etid, .nil, peer.table, .string(end.rawValue)])
        } else {
            target.call("hub onconnect", [etid, table(change, peer.information), peer.table])
        }
    }

    private static func table(_ change: SMQSessionChange, _ information: String) -> LuaValue {
        .table(
            LuaTable(named: [
                ("uid", .bytes(Array(change.uid.readableBytesView))), ("info", .string(information)),
                ("seed", .integer(Int64(change.seed))), ("ip", .string(change.address)),
                // A query can hold a secret.
                ("url", .string(String(change.url.prefix { $0 != "?" }))),
            ]))
    }

    /// `authenticate(credentials, info)` gives 0 to let a client in, else the protocol's code and a reason.
    private static func decision(
        on request: SMQConnectRequest, by target: ScriptTarget
    ) async -> SMQConnectDecision {
        let information = LuaTable(named: [
            ("uid", .bytes(Array(request.uid.readableBytesView))), ("info", .string(request.information)),
            ("seed", .integer(Int64(request.seed))), ("ip", .string(request.address)), ("url", .string(request.url)),
        ])
        let answer = await target.callAndWait(
            "hub authenticate", [.bytes(Array(request.credentials.readableBytesView)), .table(information)])
        guard case .returned(let values) = answer else { return .refuse(.unavailable, "a script failed") }
        if values.first?.wholeNumber == 0 { return .accept }
        let code = values.first?.wholeNumber.flatMap { UInt8(exactly: $0) }.map { SMQConnackCode(rawValue: $0) }
        return .refuse(code ?? .denied, values.dropFirst().first?.text ?? "refused by a script")
    }

    /// `for etid, peer in hub:peers() do`
    private static func peers(_ call: LuaCall) throws -> LuaOutcome {
        guard let hub = try call.resource(0, as: SMQResource.self).hub else { throw LuaError("this is no hub") }
        let list = hub.hooks.peers.flatMap { [LuaValue.integer(Int64($0.etid)), $0.table] }
        return .values([.builtIn(.nextListed), .table(LuaTable(list: list))])
    }

    /// `for tid, topic in hub:topics() do`, and the same of `hub:subtopics()`
    private static func names(
        _ call: LuaCall,
        _ numbered: @escaping @Sendable ((topics: [String], subtopics: [String]), ScriptSMQClient) -> [(String, UInt32)]
    ) throws -> LuaOutcome {
        let client = try client(call)
        guard let names = try call.resource(0, as: SMQResource.self).hub?.hooks.names else {
            throw LuaError("this is no hub that knows the broker's topics")
        }
        return try call.inTask {
            let pairs = numbered(await names(TopicNumbers.limit), client)
            let list = pairs.flatMap { [LuaValue.integer(Int64($0.1)), .string($0.0)] }
            return [.builtIn(.nextListed), .table(LuaTable(list: list))]
        }
    }

    /// `hub:etid2peer(etid)`
    private static func peer(_ call: LuaCall) throws -> LuaOutcome {
        guard let hub = try call.resource(0, as: SMQResource.self).hub else { throw LuaError("this is no hub") }
        return .value(hub.hooks.peer(UInt32(clamping: try call.integer(1))).map { $0.table } ?? .nil)
    }

    // MARK: What comes

    private func take(_ event: ScriptSMQClient.Event, _ context: LuaContext) {
        guard let object, client != nil else { return }
        func call(
            _ callable: LuaCallable, _ arguments: [LuaValue], _ activity: String,
            finish: ((LuaContext, LuaEnd) -> Void)? = nil
        ) {
            context.start(callable, arguments, activity: activity, of: object, finish: finish)
        }
        switch event {
        case .connected(let etid, let address, let isFirst):
            call(
                .member(object, isFirst ? "onconnect" : "onreconnect"),
                [.integer(Int64(etid)), .integer(0), .string(address)], isFirst ? "smq onconnect" : "smq onreconnect")
        case .closed(let reason):
            call(.member(object, "onclose"), [.string(reason), .boolean(true)], "smq onclose") { context, end in
                // A script without the function returns nothing, which is no wish to give up.
                if case .returned(let values) = end, let first = values.first, !first.isTrue { context.close(object) }
            }
        case .ended(let reason):
            call(.member(object, "onclose"), [.string(reason), .boolean(false)], "smq onclose") { context, _ in
                context.close(object)
            }
        case .message(let wanted, let bytes, let publisher, let topic, let subtopic):
            let handler = handlers[wanted]
            let data: LuaValue
            if handler?.isJSON == true {
                guard let value = try? JSONValue(parsing: bytes) else {
                    return context.write(.error, "smq: a message on \(wanted.topic ?? "self") is no JSON")
                }
                data = LuaValue(value)
            } else {
                data = .bytes(bytes)
            }
            call(
                handler.map { .function($0.function) } ?? .member(object, "onmsg"),
                [data, .integer(Int64(publisher)), .integer(Int64(topic)), .integer(Int64(subtopic))],
                "smq \(wanted.topic ?? "self")")
        case .observed(let target, let count):
            guard let function = observers[target] else { return }
            let name: LuaValue =
                switch target {
                case .topic(let name): .string(name)
                case .peer(let id): .integer(Int64(id))
                }
            call(.function(function), [.integer(count), name], "smq observe")
        }
    }

    // MARK: Methods

    /// `smq:subscribe(topic [, subtopic] [, {onmsg=, datatype="json", json=true, onack=}])`
    private static func subscribe(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: SMQResource.self)
        let client = try client(call)
        let topic = try call.string(1)
        let hasSubtopic = call.isString(2)
        let config = try ConfigTable(call, hasSubtopic ? 3 : 2)
        var subtopic = hasSubtopic ? try call.string(2) : nil
        if let inner = config.value("subtopic").text { subtopic = inner }
        let wanted = ScriptSMQClient.Subscription(topic: topic == "self" ? nil : topic, subtopic: subtopic)
        if let function = try config.function("onmsg") {
            let isJSON = config.value("datatype").text == "json" || config.isTrue("json")
            resource.handlers[wanted] = Handler(function: function, isJSON: isJSON)
        } else {
            // What has no function of its own goes to the field `onmsg`.
            resource.handlers[wanted] = nil
        }
        do throws(DeviceError) { try client.subscribe(wanted) } catch { return .failure(error.description) }
        try resource.acknowledge(config, call.context, topic, subtopic)
        return .success
    }

    /// The client subscribes by itself in every session, so this is told at once.
    private func acknowledge(
        _ config: ConfigTable, _ context: LuaContext, _ topic: String, _ subtopic: String?
    ) throws {
        guard let function = try config.function("onack"), let client else { return }
        tell(
            function, context, topic == "self" ? client.client.ownPeer?.id ?? 0 : client.topicNumber(topic), topic,
            subtopic)
    }

    private func tell(
        _ function: LuaFunction, _ context: LuaContext, _ number: UInt32, _ topic: String, _ subtopic: String?
    ) {
        guard let object else { return }
        let arguments: [LuaValue] = [
            .boolean(true), .string(topic), .integer(Int64(number)), subtopic.map { .string($0) } ?? .nil,
            subtopic.map { .integer(Int64(client?.subtopicNumber($0) ?? 0)) } ?? .nil,
        ]
        context.app.post { context in
            guard context.resource(object) != nil else { return }
            context.start(.function(function), arguments, activity: "smq onack", of: object)
        }
    }

    /// `smq:unsubscribe(topic)`
    private static func unsubscribe(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: SMQResource.self)
        let topic = try call.string(1)
        try client(call).unsubscribe(topic: topic == "self" ? nil : topic)
        resource.handlers = resource.handlers.filter { $0.key.topic != (topic == "self" ? nil : topic) }
        return .success
    }

    /// `smq:publish(data, topic or tid [, subtopic or stid])` gives false while no broker is connected.
    private static func publish(_ call: LuaCall) throws -> LuaOutcome {
        let client = try client(call)
        let bytes: [UInt8]
        if call.isTable(1) {
            bytes = Array(try JSONValue(try call.value(1)).description.utf8)
        } else {
            bytes = try call.bytes(1)
        }
        let target = try target(call, 2, client)
        var subtopic: String?
        if call.isNumber(3) {
            let number = try call.integer(3)
            if number != 0 {
                guard let name = client.subtopicName(UInt32(clamping: number)) else {
                    throw LuaError(argument: 3, "\(number) is no sub-topic of this client")
                }
                subtopic = name
            }
        } else if !call.isNil(3) {
            subtopic = try call.string(3)
        }
        do throws(DeviceError) {
            try client.publish(bytes, to: target, subtopic: subtopic)
            call.push(true)
            return .pushed
        } catch {
            return .values([.boolean(false), .string(error.description)])
        }
    }

    private static func target(
        _ call: LuaCall, _ index: Int, _ client: ScriptSMQClient
    ) throws -> ScriptSMQClient.Target {
        if call.isNumber(index) { return client.target(number: UInt32(clamping: try call.integer(index))) }
        let name = try call.string(index)
        return name == "self" ? .peer(client.client.ownPeer?.id ?? 0) : .topic(name)
    }

    /// `smq:create(topic, onack)` and `smq:createsub(subtopic, onack)`: names need no making here, but get numbers.
    private static func create(_ call: LuaCall, isSubtopic: Bool) throws -> LuaOutcome {
        let resource = try call.resource(0, as: SMQResource.self)
        let client = try client(call)
        let name = try call.string(1)
        let number = isSubtopic ? client.subtopicNumber(name) : client.topicNumber(name)
        if !call.isNil(2) { resource.tell(try call.function(2), call.context, number, name, nil) }
        call.push(Int64(number))
        return .pushed
    }

    /// `smq:observe(topic or etid, function(subscribers, topic))`
    private static func observe(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: SMQResource.self)
        let client = try client(call)
        let target = try target(call, 1, client)
        resource.observers[target] = try call.function(2)
        do throws(DeviceError) { try client.observe(target) } catch { return .failure(error.description) }
        return .success
    }

    /// `smq:unobserve(topic or etid)`
    private static func unobserve(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: SMQResource.self)
        let client = try client(call)
        let target = try target(call, 1, client)
        client.unobserve(target)
        resource.observers[target] = nil
        return .success
    }

    private static func name(_ call: LuaCall, _ find: (ScriptSMQClient, UInt32) -> String?) throws -> LuaOutcome {
        .value(find(try client(call), UInt32(clamping: try call.integer(1))).map { .string($0) } ?? .nil)
    }

    private static func number(_ call: LuaCall, _ find: (ScriptSMQClient, String) -> UInt32?) throws -> LuaOutcome {
        .value(find(try client(call), try call.string(1)).map { .integer(Int64($0)) } ?? .nil)
    }
}
