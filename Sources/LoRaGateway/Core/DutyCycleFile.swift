import DeviceCore
import DeviceProtocols

/// What was sent in the last hour, on disk: `{"version":1,"region":"EU868","utc":…,"uptime":…,"boot":"…",
/// "sent":[[863000000,865000000,5,61696],…]}`, where each element is a band from and to, how many minutes ago, and
/// microseconds on the air.
enum DutyCycleFile {
    /// Larger files are none.
    static let sizeLimit = 256 << 10
    private static let recordLimit = 4096

    static func encode(_ records: [DutyCycle.Record], region: String, at moment: HostMoment) -> String {
        let sent = records.prefix(recordLimit).map { record -> JSONValue in
            [
                .integer(Int64(record.lowest.hertz)), .integer(Int64(record.end.hertz)), .integer(record.minutesAgo),
                .integer(Int64(clamping: record.airtime)),
            ]
        }
        let members: JSONValue = [
            "version": 1, "region": .string(region), "utc": .integer(moment.utc), "uptime": .integer(moment.uptime),
            "boot": .string(moment.boot), "sent": .array(sent),
        ]
        return members.description + "\n"
    }

    /// What still counts of a file.
    ///
    /// - Throws: `.configuration` for what is no such file, or one of another region.
    static func decode(_ bytes: [UInt8], region: String, now: HostMoment) throws(DeviceError) -> [DutyCycle.Record] {
        guard bytes.count <= sizeLimit else { throw wrong("it is too large") }
        let file: JSONValue
        do throws(DeviceError) { file = try JSONValue(parsing: bytes, named: "it", options: .message) } catch {
            throw wrong(error.message)
        }
        guard file["version"] == 1 else { throw wrong("it is of no version that is known here") }
        guard let of = file["region"]?.stringValue, of == region else {
            throw wrong("it is of another region than \(region)")
        }
        guard let utc = file["utc"]?.integerValue, let uptime = file["uptime"]?.integerValue,
            let boot = file["boot"]?.stringValue, let sent = file["sent"]?.arrayValue, sent.count <= recordLimit
        else { throw wrong("a part of it is missing") }
        let passed = now.since(HostMoment(utc: utc, uptime: uptime, boot: boot)) / 60_000_000
        var records: [DutyCycle.Record] = []
        for element in sent {
            let numbers = (element.arrayValue ?? []).compactMap(\.integerValue)
            guard numbers.count == 4, let lowest = UInt32(exactly: numbers[0]), let end = UInt32(exactly: numbers[1]),
                (-10...61).contains(numbers[2]), (0...3_600_000_000).contains(numbers[3])
            else { throw wrong("a record in it cannot be") }
            // What was planned when the program ended counts as sent: rather too much than too little.
            records.append(
                DutyCycle.Record(
                    lowest: RadioFrequency(hertz: lowest), end: RadioFrequency(hertz: end),
                    minutesAgo: numbers[2] + passed, airtime: UInt64(numbers[3])))
        }
        return records
    }

    private static func wrong(_ why: String) -> DeviceError { DeviceError(.configuration, why) }
}
