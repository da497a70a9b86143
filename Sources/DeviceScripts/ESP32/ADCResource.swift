import DeviceCore
import DeviceLua

/// The object of `esp32.adc(unit, channel [, cfg])`.
final class ADCResource: LuaResource {
    static let luaClass = LuaClass(
        "adc",
        methods: [
            "read": { try read($0) },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    /// Calls a second that a continuous conversion makes at most, as in Xedge32.
    private static let fastest = 100

    private let source: any AnalogSource
    private let wantsVolts: Bool
    private var sampler: Task<Void, Never>?

    private init(_ source: any AnalogSource, wantsVolts: Bool) {
        self.source = source
        self.wantsVolts = wantsVolts
    }

    func close(in context: LuaContext) { sampler?.cancel() }

    private enum Filter: String, CaseIterable {
        case data
        case mean
    }

    /// In Hz; faster than this software does not sample.
    private static let highestRate = 10_000

    /// `esp32.adc()`, or `esp32.adc(unit, channel [, {attenuation, volt, callback, fs, bl, filter}])`
    static func open(_ call: LuaCall, _ board: ScriptBoard) throws -> LuaOutcome {
        // The rates of sampling, in Hz.
        if call.count == 0 { return .values([.integer(1), .integer(highestRate)]) }
        let unit = try call.integer(0, in: 0...255, "the unit")
        let channel = try call.integer(1, in: 0...255, "the channel")
        let config = try ConfigTable(call, 2)
        let context = call.context
        try context.require(.buses, "adc\(unit)")
        let callback = try config.function("callback")
        var rate = 0
        var length = 0
        if callback != nil {
            // 0 leaves the choice to the host.
            rate = try config.integer("fs", in: 0...2_000_000)
            length = try config.integer("bl", in: 0...65_536)
            if rate == 0 { rate = 100 }
            if rate > highestRate {
                context.write(.info, "adc: software samples with \(highestRate) Hz in place of \(rate) Hz")
                rate = highestRate
            }
            if length == 0 { length = max(1, rate / 10) }
        }
        let filter = try config.word("filter", Filter.self) ?? .data
        let source: any AnalogSource
        do throws(DeviceError) { source = try board.buses.analog(unit: unit, channel: channel) } catch {
            return .failure(error.description)
        }
        let resource = ADCResource(source, wantsVolts: config.isTrue("volt"))
        let object = try context.add(resource, keeping: callback.map { [("callback", .function($0))] } ?? [])
        if callback != nil {
            let target = ScriptTarget(context, activity: "adc \(unit):\(channel)")
            target.name(object)
            // A block in less than a hundredth of a second would call more often than a script is to be called.
            let sampling = Sampling(
                source: source, rate: rate, count: max(length, (rate + fastest - 1) / fastest), filter: filter,
                wantsVolts: config.isTrue("volt"))
            resource.sampler = Task { [clock = board.clock] in await run(sampling, clock, target) }
        }
        // The second value is a GPIO number, which an input of a Linux board has none of.
        return .values([.object(object), .nil])
    }

    /// How samples are taken, and what a script gets of them.
    private struct Sampling: Sendable {
        let source: any AnalogSource
        let rate: Int
        let count: Int
        let filter: Filter
        let wantsVolts: Bool
    }

    /// Calls the script with each block of samples, or with their mean, until the task is cancelled.
    private static func run(_ sampling: Sampling, _ clock: DeviceClock, _ target: ScriptTarget) async {
        let pending = PendingCalls(limit: 4)
        var next = clock.now
        while !Task.isCancelled {
            var samples: [Int] = []
            var failure: DeviceError?
            while samples.count < sampling.count, failure == nil {
                switch measure(sampling.source) {
                case .success(let sample): samples.append(sample)
                case .failure(let error): failure = error
                }
                next = max(next + .nanoseconds(1_000_000_000 / Int64(sampling.rate)), clock.now)
                guard (try? await clock.sleep(until: next)) != nil else { return }
            }
            let arguments = arguments(samples, failure, sampling.filter, sampling.wantsVolts ? sampling.source : nil)
            if pending.begin() { target.call("callback", arguments, closesOnError: true) { _ in pending.end() } }
            if failure != nil { return }
        }
    }

    private static func measure(_ source: any AnalogSource) -> Result<Int, DeviceError> {
        do throws(DeviceError) { return .success(try source.raw()) } catch { return .failure(error) }
    }

    private static func arguments(
        _ samples: [Int], _ failure: DeviceError?, _ filter: Filter, _ scale: (any AnalogSource)?
    ) -> [LuaValue] {
        if let failure { return [.nil, .string(failure.description)] }
        switch filter {
        case .data:
            // As 16-bit little-endian samples.
            return [.bytes(samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })]
        case .mean:
            let mean = samples.reduce(0, +) / max(1, samples.count)
            return [.integer(mean)] + (scale?.millivolts(mean).map { [.number($0)] } ?? [])
        }
    }

    /// `adc:read()` gives the number, with `volt` also millivolts.
    private static func read(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: ADCResource.self)
        guard resource.sampler == nil else { throw LuaError("Continuous mode") }
        return try call.inBackground { [source = resource.source, wantsVolts = resource.wantsVolts] in
            let raw = try source.raw()
            let volts: [LuaValue] = wantsVolts ? source.millivolts(raw).map { [.number($0)] } ?? [] : []
            return [.integer(raw)] + volts
        }
    }
}
