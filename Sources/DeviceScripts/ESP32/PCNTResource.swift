import DeviceCore
import DeviceLua
import DeviceSDK

/// The object of `esp32.pcnt{...}`.
final class PCNTResource: LuaResource {
    static let luaClass = LuaClass(
        "pcnt",
        methods: [
            "start": { call in
                try call.resource(0, as: PCNTResource.self).counter.start()
                return .success
            },
            "stop": { call in
                try call.resource(0, as: PCNTResource.self).counter.stop()
                return .success
            },
            "count": { call in
                call.push(Int64(try call.resource(0, as: PCNTResource.self).counter.count))
                return .pushed
            },
            "clear": { call in
                try call.resource(0, as: PCNTResource.self).counter.clear()
                return .success
            },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private let counter: PulseCounter
    private let claim: ScriptPinOwners.Claim
    private var watcher: Task<Void, Never>?

    private init(_ counter: PulseCounter, _ claim: ScriptPinOwners.Claim) {
        self.counter = counter
        self.claim = claim
    }

    func close(in context: LuaContext) {
        watcher?.cancel()
        counter.close()
        claim.release()
    }

    /// `esp32.pcnt{high=, low=, channels= [, accumulator=] [, glitch=ns] [, watch={points=, callback=}]}`
    static func open(_ call: LuaCall, _ board: ScriptBoard) throws -> LuaOutcome {
        let config = try ConfigTable(call, 0, isOptional: false)
        var pins: [Int] = []
        var settings = PulseCounterSettings(
            highLimit: try config.integer("high", in: 1...32767),
            lowLimit: try config.integer("low", in: -32768 ... -1),
            channels: try channels(config, &pins))
        settings.accumulates = config.isTrue("accumulator")
        let glitch = try config.integer("glitch", in: 0...1_000_000_000, default: 0)
        let watch = try config.table("watch")
        let callback = try watch?.function("callback")
        for point in try watch?.list("points") ?? [] {
            guard let point = point.wholeNumber, let whole = Int(exactly: point) else {
                throw ConfigTable.wrong("points", "numbers are expected")
            }
            settings.points.insert(whole)
        }
        let context = call.context
        let claim = try board.claim(pins, context)
        var lines: [LineAddress] = []
        for pin in pins { lines.append(try board.line(of: pin)) }
        let counter: PulseCounter
        do throws(DeviceError) {
            // Below a microsecond no edge of a kernel is told from another.
            counter = try PulseCounter(
                settings, lines: lines, on: board.backend, glitch: glitch < 1000 ? .zero : .nanoseconds(glitch),
                consumer: "\(context.app.name) pcnt")
        } catch {
            throw LuaError("Invalidarg channels: \(error)")
        }
        let resource = PCNTResource(counter, claim)
        let object: LuaObject
        do {
            object = try context.add(resource, keeping: callback.map { [("callback", .function($0))] } ?? [])
        } catch {
            resource.close(in: context)
            throw error
        }
        if callback != nil {
            let target = ScriptTarget(context, activity: "pcnt")
            target.name(object)
            resource.watcher = Task { [events = counter.events] in
                for await event in events {
                    let crossing: LuaValue = event.crossing.map { .integer($0.rawValue) } ?? .nil
                    target.call("callback", [.integer(event.count), crossing], closesOnError: true)
                }
            }
        }
        return .value(.object(object))
    }

    private static func channels(
        _ config: ConfigTable, _ pins: inout [Int]
    ) throws -> [PulseCounterSettings.Channel] {
        func index(_ pin: Int, _ pins: inout [Int]) -> Int {
            if let index = pins.firstIndex(of: pin) { return index }
            pins.append(pin)
            return pins.count - 1
        }
        let list = try config.list("channels")
        guard !list.isEmpty else { throw ConfigTable.wrong("channels", "a list of channels is expected") }
        return try list.map { entry in
            guard case .table(let table) = entry else { throw ConfigTable.wrong("channels", "tables are expected") }
            let entry = ConfigTable(table)
            guard let gpio = try entry.table("gpio") else { throw ConfigTable.wrong("gpio", "a table is expected") }
            guard let action = try entry.table("action"), let edge = try action.table("edge") else {
                throw ConfigTable.wrong("action", "a table with edge is expected")
            }
            var channel = PulseCounterSettings.Channel(
                edge: index(try gpio.integer("edge", in: 0...255), &pins))
            if gpio.has("level") { channel.level = index(try gpio.integer("level", in: 0...255), &pins) }
            channel.rising = try edge.word("positive") ?? .hold
            channel.falling = try edge.word("negative") ?? .hold
            if let level = try action.table("level") {
                channel.high = try level.word("high") ?? .keep
                channel.low = try level.word("low") ?? .keep
            }
            return channel
        }
    }
}
