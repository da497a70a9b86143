import DeviceCore

/// Writes one JSON object of GWMP, member after member; what is nil is left out.
///
/// Each frame goes through here, at quiet times with none of the code in the processor's caches: so bytes are written
/// by little code of our own, and no strings are made in between.
struct GWMPObjectWriter {
    private var json: [UInt8]

    init() {
        json = []
        // A frame of 50 bytes with all that a radio tells of it.
        json.reserveCapacity(320)
        json.append(UInt8(ascii: "{"))
    }

    /// The finished object.
    var text: String {
        var json = json
        json.append(UInt8(ascii: "}"))
        return String(decoding: json, as: UTF8.self)
    }

    /// A member whose value is JSON already.
    mutating func raw(_ key: String, _ value: String?) {
        guard let value else { return }
        begin(key)
        append(value)
    }

    mutating func integer(_ key: String, _ value: (some FixedWidthInteger)?) {
        guard let value else { return }
        begin(key)
        if value < 0 { json.append(UInt8(ascii: "-")) }
        append(UInt64(value.magnitude))
    }

    /// A number that JSON cannot say, NaN or infinite, is left out.
    mutating func number(_ key: String, _ value: Double?) {
        raw(key, value.flatMap { $0.isFinite ? $0.description : nil })
    }

    mutating func string(_ key: String, _ value: String?) {
        guard let value else { return }
        guard value.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C }) else {
            return raw(key, JSONWriter.quoted(value))
        }
        begin(key)
        json.append(UInt8(ascii: "\""))
        append(value)
        json.append(UInt8(ascii: "\""))
    }

    mutating func flag(_ key: String, _ value: Bool?) { raw(key, value.map { $0 ? "true" : "false" }) }

    /// In MHz with all six decimals.
    mutating func frequency(_ key: String, _ value: RadioFrequency) {
        begin(key)
        append(UInt64(value.hertz / 1_000_000))
        json.append(UInt8(ascii: "."))
        append(UInt64(value.hertz % 1_000_000), digits: 6)
    }

    mutating func modulation(_ modulation: LoRaModulation, _ codingRate: LoRaCodingRate?) {
        switch modulation {
        case .lora(let rate):
            raw("modu", "\"LORA\"")
            begin("datr")
            append("\"SF")
            append(UInt64(rate.spreadingFactor))
            append("BW")
            append(UInt64(rate.bandwidth))
            json.append(UInt8(ascii: "\""))
        case .fsk(let bitRate):
            raw("modu", "\"FSK\"")
            integer("datr", bitRate)
        }
        string("codr", codingRate?.rawValue)
    }

    mutating func payload(_ bytes: [UInt8]) {
        integer("size", bytes.count)
        begin("data")
        json.append(UInt8(ascii: "\""))
        Base64.append(bytes, to: &json)
        json.append(UInt8(ascii: "\""))
    }

    mutating func metadata(_ metadata: [String: String]) {
        guard !metadata.isEmpty else { return }
        let members = metadata.sorted { $0.key < $1.key }.map {
            "\(JSONWriter.quoted($0.key)):\(JSONWriter.quoted($0.value))"
        }
        raw("meta", "{\(members.joined(separator: ","))}")
    }

    private mutating func begin(_ key: String) {
        if json.count > 1 { json.append(UInt8(ascii: ",")) }
        json.append(UInt8(ascii: "\""))
        append(key)
        json.append(UInt8(ascii: "\""))
        json.append(UInt8(ascii: ":"))
    }

    private mutating func append(_ text: String) { json.append(contentsOf: text.utf8) }

    /// A whole number, with zeros before it up to so many digits.
    private mutating func append(_ value: UInt64, digits: Int = 1) {
        let start = json.count
        var rest = value
        repeat {
            json.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0 || json.count < start + digits
        json[start...].reverse()  // safe: no more than what was just written
    }
}
