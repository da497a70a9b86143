import DeviceProtocols
import Glibc

/// `ba.datetime`: a point in UTC, which is compared, and moved by tables of days, hours, mins and secs.
final class LuaDateTime: LuaResource {
    static let luaClass = LuaClass(
        "datetime",
        methods: [
            "tostring": text,
            "__tostring": text,
            "ticks": { call in
                let time: LuaDateTime = try call.resource(0)
                let (seconds, rest) = time.time.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
                return .values([.integer(seconds), .integer(rest * 1000), .integer(0 as Int64)])
            },
            "__add": { call in try moved(call, by: 1) },
            "__sub": { call in
                guard call.isTable(1) else {
                    let left: LuaDateTime = try call.resource(0)
                    let right: LuaDateTime = try call.resource(1)
                    return .value(.number(Double(left.time.microseconds - right.time.microseconds) / 1e6))
                }
                return try moved(call, by: -1)
            },
            "__lt": { call in try compared(call, <) },
            "__le": { call in try compared(call, <=) },
            "__eq": { call in try compared(call, ==) },
        ])

    private static let earliest = UTCTime(microseconds: 0)
    private static let latest = UTCTime("9999-12-31T23:59:59Z") ?? UTCTime(microseconds: .max)

    /// `ba.datetime("NOW" | "MIN" | "MAX" | text | seconds)`
    static let make: LuaBody = { call in
        let time: UTCTime
        if call.isNumber(0) {
            let seconds = try call.integer(0, in: 0...latest.microseconds / 1_000_000, "the time")
            time = UTCTime(microseconds: Int64(seconds) * 1_000_000)
        } else {
            let text = call.isNil(0) ? "NOW" : try call.string(0)
            switch text {
            case "NOW": time = now
            case "MIN": time = earliest
            case "MAX": time = latest
            default:
                guard let parsed = UTCTime(text) else { return .failure("invalid date: \(text)") }
                time = parsed
            }
        }
        return .value(.object(try call.context.add(LuaDateTime(time))))
    }

    private static var now: UTCTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UTCTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    private static let text: LuaBody = { call in
        let time: LuaDateTime = try call.resource(0)
        return .value(.string(time.time.description))
    }

    private static func moved(_ call: LuaCall, by sign: Int64) throws -> LuaOutcome {
        let time: LuaDateTime = try call.resource(0)
        let table = try call.table(1)
        var microseconds = time.time.microseconds
        for (name, factor) in [("days", 86_400), ("hours", 3600), ("mins", 60), ("secs", 1)] as [(String, Int64)] {
            guard let amount = table[name].wholeNumber else { continue }
            let (product, tooLarge) = amount.multipliedReportingOverflow(by: factor * 1_000_000 * sign)
            let (sum, overflow) = microseconds.addingReportingOverflow(product)
            guard !tooLarge, !overflow else { throw LuaError("out of range") }
            microseconds = sum
        }
        guard (earliest.microseconds...latest.microseconds).contains(microseconds) else {
            throw LuaError("out of range: 1970 to 9999")
        }
        return .value(.object(try call.context.add(LuaDateTime(UTCTime(microseconds: microseconds)))))
    }

    private static func compared(_ call: LuaCall, _ by: (UTCTime, UTCTime) -> Bool) throws -> LuaOutcome {
        let left: LuaDateTime = try call.resource(0)
        let right: LuaDateTime = try call.resource(1)
        return .value(.boolean(by(left.time, right.time)))
    }

    private let time: UTCTime
    private init(_ time: UTCTime) { self.time = time }

    func close(in context: LuaContext) {}
}
