/// A point in UTC with microseconds, as GWMP writes them; without leap seconds, as Unix counts.
public struct UTCTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    public var microseconds: Int64

    /// Makes a time from microseconds since 1970.
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// Reads both of GWMP's forms, `2013-03-31T16:21:17.528002Z` (rxpk) and `2014-01-12 08:59:28 GMT` (stat).
    ///
    /// Between date and time stands T or a space; a fraction may have any number of digits, of which six count; after
    /// it stands Z, GMT, UTC, nothing, or an offset like +01:00. nil for anything else, for dates that the calendar
    /// does not have, and outside the years 1970 to 9999.
    public init?(_ text: String) {
        guard text.utf8.count <= 64 else { return nil }
        var scanner = Scanner(rest: Array(text.utf8)[...])
        guard let year = scanner.number(4), (1970...9999).contains(year), scanner.skip("-"),
            let month = scanner.number(2), (1...12).contains(month), scanner.skip("-"),
            let day = scanner.number(2), (1...Self.days(inMonth: month, of: year)).contains(day),
            scanner.skip("T") || scanner.skip(" "),
            let hour = scanner.number(2), hour < 24, scanner.skip(":"),
            let minute = scanner.number(2), minute < 60, scanner.skip(":"),
            // 60 is a leap second, which Unix counts as the next minute's first.
            let second = scanner.number(2), second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if scanner.skip(".") {
            guard let microseconds = scanner.fraction() else { return nil }
            fraction = microseconds
        }
        guard let offset = scanner.zone() else { return nil }
        let days = Self.days(toYear: year, month: month) + day - 1
        let seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
        self.init(microseconds: seconds * 1_000_000 + fraction)
    }

    /// The form of rxpk: `2013-03-31T16:21:17.528002Z`.
    public var description: String {
        let (date, time, fraction) = parts
        return "\(date)T\(time).\(Self.digits(fraction, 6))Z"
    }

    /// The form of stat, without the fraction: `2014-01-12 08:59:28 GMT`.
    public var statText: String {
        let (date, time, _) = parts
        return "\(date) \(time) GMT"
    }

    /// Order in time.
    public static func < (left: UTCTime, right: UTCTime) -> Bool { left.microseconds < right.microseconds }

    private var parts: (date: String, time: String, microseconds: Int64) {
        let (seconds, fraction) = Self.floorDivide(microseconds, 1_000_000)
        let (days, second) = Self.floorDivide(seconds, 86400)
        // Howard Hinnant's civil_from_days: eras of 400 years that begin on 1 March.
        let (era, dayOfEra) = Self.floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (
            "\(Self.digits(year, 4))-\(Self.digits(month, 2))-\(Self.digits(day, 2))",
            "\(Self.digits(second / 3600, 2)):\(Self.digits(second / 60 % 60, 2)):\(Self.digits(second % 60, 2))",
            fraction
        )
    }

    /// Days from 1970-01-01 to the first of a month.
    private static func days(toYear year: Int64, month: Int64) -> Int64 {
        let years = year - 1
        let days = (years * 365 + years / 4 - years / 100 + years / 400) - 719_162
        return (1..<month).reduce(days) { $0 + Self.days(inMonth: $1, of: year) }
    }

    private static func days(inMonth month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func digits(_ value: Int64, _ count: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}

/// Takes a time's parts off the front of a text.
private struct Scanner {
    var rest: ArraySlice<UInt8>

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    mutating func digit() -> Int64? {
        guard let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        rest = rest.dropFirst()
        return Int64(byte - UInt8(ascii: "0"))
    }

    mutating func number(_ count: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<count {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// Microseconds from at least one digit.
    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var unit: Int64 = 100_000
        guard let first = digit() else { return nil }
        value = first * unit
        while let digit = digit() {
            unit /= 10
            value += digit * unit
        }
        return value
    }

    /// The seconds by which local time is ahead of UTC, at the end of the text.
    mutating func zone() -> Int64? {
        switch String(decoding: rest, as: UTF8.self) {
        case "", "Z", " GMT", " UTC": return 0
        default: break
        }
        let sign: Int64 = skip("+") ? 1 : -1
        guard sign == 1 || skip("-"), let hours = number(2), hours < 24, skip(":"), let minutes = number(2),
            minutes < 60, rest.isEmpty
        else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }
}
