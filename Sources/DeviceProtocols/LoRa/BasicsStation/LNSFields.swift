import DeviceCore

/// Messages of Basics Station are JSON objects; their fields are read as GWMP's are.
enum LNSFields {
    /// What a server may send in one message: a `router_config` for a board of eight radios has some 20 KB.
    static let maximumSize = 262_144

    private static let options = JSONParsingOptions(
        allowsComments: false, maximumDepth: 16, maximumSize: maximumSize, errorCode: .protocolViolation)

    static func parse(_ text: some Sequence<UInt8>) throws(LNSError) -> JSONValue {
        let value: JSONValue
        do throws(DeviceError) {
            value = try JSONValue(parsing: text, named: "JSON", options: options)
        } catch {
            throw .badJSON(String(error.message.prefix(160)))
        }
        guard value.objectValue != nil else { throw .badJSON("the message is \(value.kind) and no object") }
        return value
    }

    /// Reads an object with the fault of a field as this protocol's error.
    static func reading<Value>(
        _ value: JSONValue, _ name: String, _ body: (GWMPFields) throws(GWMPError) -> Value
    ) throws(LNSError) -> Value {
        do throws(GWMPError) {
            return try body(try GWMPFields(value, name))
        } catch {
            throw .field(error)
        }
    }
}

extension GWMPFields {
    /// Hexadecimal digits, two for each byte.
    func hex(_ key: String, limit: Int = LoRaWANFrame.maximumLength) throws(GWMPError) -> [UInt8]? {
        guard let text = try text(key) else { return nil }
        guard text.utf8.count <= 2 * limit else { throw .outOfRange(path(key)) }
        guard let bytes = HexText.bytes(from: text) else { throw .unknownValue(path(key), Self.cut(text)) }
        return bytes
    }

    /// An EUI under either spelling of its name, `DevEui` and `DevEUI`.
    func eui(_ key: String) throws(GWMPError) -> EUI64? {
        let name = members[key] == nil ? String(key.dropLast(3)) + "EUI" : key
        guard let text = try text(name) else { return nil }
        guard let eui = EUI64(station: text) else { throw .unknownValue(path(name), Self.cut(text)) }
        return eui
    }

    /// A 32-bit number that Basics Station writes with a sign; without one is understood too.
    func signed32(_ key: String) throws(GWMPError) -> UInt32? {
        guard let number: Int64 = try integer(key) else { return nil }
        guard (Int64(Int32.min)...Int64(UInt32.max)).contains(number) else { throw .outOfRange(path(key)) }
        return UInt32(truncatingIfNeeded: number)
    }

    /// An array, with a limit.
    func elements(_ key: String, limit: Int) throws(GWMPError) -> [JSONValue]? {
        guard let value = value(key) else { return nil }
        guard let elements = value.arrayValue else { throw .wrongKind(path(key), found: value.kind) }
        guard elements.count <= limit else { throw .tooMany(path(key), limit: limit) }
        return elements
    }

    /// Hz.
    func hertz(_ key: String) throws(GWMPError) -> RadioFrequency? {
        guard let number: UInt32 = try integer(key) else { return nil }
        return RadioFrequency(hertz: number)
    }

    /// Seconds since 1970.
    func seconds(_ key: String) throws(GWMPError) -> Double? { try number(key, in: 0...1e11) }

    /// A truth value; old servers write 0 and 1.
    func truth(_ key: String) throws(GWMPError) -> Bool {
        if let number = value(key)?.integerValue { return number != 0 }
        return try flag(key) ?? false
    }

    /// The server's number of a frame, which old ones call `seqno`.
    func diid() throws(GWMPError) -> Int64? {
        if let number: Int64 = try integer("diid") { return number }
        return try integer("seqno")
    }

    /// Data rate and frequency of a window; both have to be there or neither.
    func window(_ rate: String, _ frequency: String) throws(GWMPError) -> LNSDownlink.Window? {
        let number: UInt8? = try integer(rate, in: 0...15)
        let hertz = try hertz(frequency)
        guard number != nil || hertz != nil else { return nil }
        return LNSDownlink.Window(dataRate: try required(rate, number), frequency: try required(frequency, hertz))
    }

    /// A whole number of any size that an integer type has; JSON carries more than 63 bits here.
    func unsigned(_ key: String) throws(GWMPError) -> UInt64? {
        guard let value = value(key) else { return nil }
        guard value.doubleValue != nil else { throw .wrongKind(path(key), found: value.kind) }
        guard let number = value.unsignedValue else { throw .outOfRange(path(key)) }
        return number
    }
}
