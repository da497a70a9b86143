public import ClusterClient
import DeviceCore
public import DeviceLua
import DeviceProtocols
public import Logging
public import NIOCore

/// `smq.client`, `smq.hub` and `mqttc` for scripts: how they reach brokers.
public final class ScriptMessaging: Sendable {
    /// The client's settings where a script names no broker: those of the program.
    private let standard: SMQClientConfiguration?
    /// The settings for the broker that the program carries; nil where it carries none.
    private let hub: SMQClientConfiguration?
    /// The hooks of that broker; nil where scripts have none.
    private let hooks: ScriptHub?
    private let eventLoop: (any EventLoop)?
    private let logger: Logger

    /// - Parameters:
    ///   - standard: where a script goes that names no broker; its unique id is not used.
    ///   - hub: how a client of this process reaches the broker that the program carries, or nil.
    ///   - hooks: what scripts hear of that broker's clients, and say to them.
    ///   - eventLoop: where clients live.
    public init(
        standard: SMQClientConfiguration?, hub: SMQClientConfiguration? = nil, hooks: ScriptHub? = nil,
        eventLoop: (any EventLoop)? = nil, logger: Logger = Logger(label: "scripts")
    ) {
        self.standard = standard
        self.hub = hub
        self.hooks = hooks
        self.eventLoop = eventLoop
        self.logger = logger
    }

    func makeClient(_ configuration: SMQClientConfiguration) -> SMQClient {
        SMQClient(configuration, eventLoop: eventLoop, logger: logger)
    }

    /// The modules, for a host of scripts.
    public var libraries: [LuaLibrary] {
        [
            LuaLibrary("smq.client", isGlobal: false, members: ["create": .function { try self.createClient($0) }]),
            LuaLibrary(
                "smq.hub", isGlobal: false,
                members: [
                    "create": .function { try self.createHub($0) },
                    "isSMQ": .function { _ in
                        .failure(
                            "requests of a web server do not reach scripts here: the program's own broker serves them")
                    },
                ]),
            LuaLibrary(
                "mqttc", isGlobal: false,
                members: [
                    "create": .function { _ in throw Self.noMQTT },
                    "connect": .function { _ in throw Self.noMQTT },
                ]),
        ]
    }

    /// What the program's own brokers are called in permissions for hosts.
    public static let ownBroker = "broker"

    private static let noMQTT = LuaError(
        "mqttc comes with the MQTT client, which this version does not have: use smq.client")

    /// `smq.client.create([url] [, {uid=, info=, ping=, pong=, timeout=}])`
    private func createClient(_ call: LuaCall) throws -> LuaOutcome {
        if call.isFunction(0) {
            throw LuaError(argument: 0, "a connect function is not supported: give the broker's address, or nothing")
        }
        let options = try ConfigTable(call, call.isTable(0) ? 0 : 1)
        var configuration: SMQClientConfiguration
        if call.isNil(0) || call.isTable(0) {
            guard let standard else { throw LuaError("this program has no broker: give an address") }
            try call.context.require(.hosts, Self.ownBroker)
            configuration = standard
        } else {
            let url: BrokerURL
            do throws(DeviceError) { url = try BrokerURL(try string(call)) } catch {
                throw LuaError(argument: 0, error.description)
            }
            try call.context.require(.hosts, url.host)
            configuration = SMQClientConfiguration(brokers: [url], uid: [])
            if let standard {
                configuration.liveness = standard.liveness
                configuration.attempts = standard.attempts
                configuration.resolver = standard.resolver
                configuration.tls = standard.tls
            }
        }
        configuration.outbox = nil
        configuration.uid = try uid(options, call.context)
        configuration.information = options.value("info").text ?? call.context.app.name
        if options.has("ping") {
            configuration.liveness.pingAfter = .seconds(try options.integer("ping", in: 1...86_400))
        }
        if options.has("pong") {
            configuration.liveness.pingTimeout = .seconds(try options.integer("pong", in: 1...3600))
        }
        return try SMQResource.open(call, configuration, self)
    }

    private func string(_ call: LuaCall) throws(DeviceError) -> String {
        do { return try call.string(0) } catch {
            throw DeviceError(.invalidArgument, "a broker's address is expected", hint: "Example: smq://broker.example")
        }
    }

    /// `smq.hub.create([options])`: a client of the program's own broker with the hub's methods.
    private func createHub(_ call: LuaCall) throws -> LuaOutcome {
        guard var configuration = hub else {
            throw LuaError("this program carries no broker: run it without --broker, or use smq.client")
        }
        try call.context.require(.hosts, Self.ownBroker)
        let options = try ConfigTable(call, 0)
        configuration.outbox = nil
        configuration.uid = try uid(options, call.context)
        configuration.information = "hub of \(call.context.app.name)"
        return try SMQResource.openHub(call, configuration, self, hooks, options)
    }

    /// The id of the options, or one that no other client has.
    private func uid(_ options: ConfigTable, _ context: LuaContext) throws -> [UInt8] {
        guard options.has("uid") else {
            return Array("\(context.app.name)-".utf8) + (0..<8).map { _ in UInt8.random(in: 0...255) }
        }
        guard case .bytes(let bytes) = options.value("uid"),
            (SMQSize.minimumUID...SMQSize.maximumUID).contains(bytes.count)
        else { throw ConfigTable.wrong("uid", "\(SMQSize.minimumUID) to \(SMQSize.maximumUID) bytes are expected") }
        return bytes
    }
}
