import DeviceCore

/// Reads the members of one JSON object of GWMP, each with its range. A member that is `null` counts as absent;
/// members that nobody asks for are ignored.
struct GWMPFields {
    let members: JSONObject
    /// What the object is called in errors: `rxpk`.
    let name: String

    init(_ value: JSONValue, _ name: String) throws(GWMPError) {
        guard let members = value.objectValue else { throw .wrongKind(name, found: value.kind) }
        self.members = members
        self.name = name
    }

    func path(_ key: String) -> String { "\(name).\(key)" }

    func value(_ key: String) -> JSONValue? {
        if case .null? = members[key] { return nil }
        return members[key]
    }

    func required<Value>(_ key: String, _ value: Value?) throws(GWMPError) -> Value {
        guard let value else { throw .missing(path(key)) }
        return value
    }

    /// A whole number.
    func integer<Integer: FixedWidthInteger>(
        _ key: String, in range: ClosedRange<Integer> = .min ... .max
    ) throws(GWMPError) -> Integer? {
        guard let value = value(key) else { return nil }
        guard value.doubleValue != nil else { throw .wrongKind(path(key), found: value.kind) }
        guard let whole = value.integerValue, let integer = Integer(exactly: whole), range.contains(integer) else {
            throw .outOfRange(path(key))
        }
        return integer
    }

    /// Any number, rounded to a whole one: some gateways write dBm with decimals.
    func rounded<Integer: FixedWidthInteger>(
        _ key: String, in range: ClosedRange<Integer>
    ) throws(GWMPError) -> Integer? {
        guard let number = try number(key, in: Double(range.lowerBound)...Double(range.upperBound)) else { return nil }
        return Integer(exactly: Int64(number < 0 ? number - 0.5 : number + 0.5))
    }

    /// Any number.
    func number(_ key: String, in range: ClosedRange<Double>) throws(GWMPError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.doubleValue else { throw .wrongKind(path(key), found: value.kind) }
        // NaN is in no range.
        guard range.contains(number) else { throw .outOfRange(path(key)) }
        return number
    }

    func text(_ key: String) throws(GWMPError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.stringValue else { throw .wrongKind(path(key), found: value.kind) }
        return text
    }

    func flag(_ key: String) throws(GWMPError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.boolValue else { throw .wrongKind(path(key), found: value.kind) }
        return flag
    }

    /// A time; one that cannot be read counts as absent, because gateways write it in many ways and no frame
    /// should be lost for it.
    func time(_ key: String) throws(GWMPError) -> UTCTime? { try text(key).flatMap { UTCTime($0) } }

    func base64(_ key: String, limit: Int) throws(GWMPError) -> [UInt8]? {
        guard let text = try text(key) else { return nil }
        // Before anything is decoded.
        guard text.utf8.count <= (limit + 2) / 3 * 4 else { throw .outOfRange(path(key)) }
        guard let bytes = Base64.decode(text) else { throw .badBase64(path(key)) }
        guard bytes.count <= limit else { throw .outOfRange(path(key)) }
        return bytes
    }

    /// `freq`, which has to be there.
    func frequency() throws(GWMPError) -> RadioFrequency {
        let megahertz = try required("freq", number("freq", in: -.greatestFiniteMagnitude ... .greatestFiniteMagnitude))
        guard let frequency = RadioFrequency(megahertz: megahertz) else { throw .outOfRange(path("freq")) }
        return frequency
    }

    /// `modu` and `datr`, which have to be there and to fit each other.
    func modulation() throws(GWMPError) -> LoRaModulation {
        switch try required("modu", text("modu")) {
        case "LORA":
            let text = try required("datr", text("datr"))
            guard let rate = LoRaDataRate(text) else { throw .unknownValue(path("datr"), Self.cut(text)) }
            return .lora(rate)
        case "FSK":
            return .fsk(bitRate: try required("datr", integer("datr", in: 500...2_000_000)))
        case let other: throw .unknownValue(path("modu"), Self.cut(other))
        }
    }

    func codingRate() throws(GWMPError) -> LoRaCodingRate? {
        guard let text = try text("codr") else { return nil }
        guard let rate = LoRaCodingRate(gwmp: text) else { throw .unknownValue(path("codr"), Self.cut(text)) }
        return rate
    }

    /// `data`, as long as `size` says; both have to be there.
    func payload() throws(GWMPError) -> [UInt8] {
        let size: Int = try required("size", integer("size", in: 0...Self.maximumPayload))
        let payload = try required("data", base64("data", limit: Self.maximumPayload))
        guard payload.count == size else {
            throw .sizeMismatch(path("size"), claimed: size, actual: payload.count)
        }
        return payload
    }

    /// `meta`: what a gateway wants to be known by; values that are no strings are ignored.
    func metadata() throws(GWMPError) -> [String: String] {
        guard let value = value("meta") else { return [:] }
        guard let members = value.objectValue else { throw .wrongKind(path("meta"), found: value.kind) }
        var metadata: [String: String] = [:]
        for (key, value) in members { metadata[key] = value.stringValue }
        return metadata
    }

    /// The longest frame that a LoRa or FSK modem takes.
    static let maximumPayload = 255

    /// The part of a peer's word that is worth keeping in an error.
    static func cut(_ text: String) -> String { String(text.prefix(40)) }
}
