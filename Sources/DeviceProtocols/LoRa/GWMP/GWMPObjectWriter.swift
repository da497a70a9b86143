import DeviceCore

/// Writes one JSON object of GWMP, member after member; what is nil is left out.
struct GWMPObjectWriter {
    private var json = "{"

    /// The finished object.
    var text: String { json + "}" }

    /// A member whose value is JSON already.
    mutating func raw(_ key: String, _ value: String?) {
        guard let value else { return }
        // Piece by piece: an interpolated string is one more on the heap for each member.
        json += json.utf8.count > 1 ? ",\"" : "\""
        json += key
        json += "\":"
        json += value
    }

    mutating func integer(_ key: String, _ value: (some BinaryInteger)?) { raw(key, value?.description) }

    /// A number that JSON cannot say, NaN or infinite, is left out.
    mutating func number(_ key: String, _ value: Double?) {
        raw(key, value.flatMap { $0.isFinite ? $0.description : nil })
    }

    mutating func string(_ key: String, _ value: String?) { raw(key, value.map { JSONWriter.quoted($0) }) }

    mutating func flag(_ key: String, _ value: Bool?) { raw(key, value.map { $0 ? "true" : "false" }) }

    mutating func modulation(_ modulation: LoRaModulation, _ codingRate: LoRaCodingRate?) {
        switch modulation {
        case .lora(let rate):
            string("modu", "LORA")
            string("datr", rate.description)
        case .fsk(let bitRate):
            string("modu", "FSK")
            integer("datr", bitRate)
        }
        string("codr", codingRate?.rawValue)
    }

    mutating func payload(_ bytes: [UInt8]) {
        integer("size", bytes.count)
        raw("data", "\"\(Base64.encode(bytes))\"")
    }

    mutating func metadata(_ metadata: [String: String]) {
        guard !metadata.isEmpty else { return }
        let members = metadata.sorted { $0.key < $1.key }.map {
            "\(JSONWriter.quoted($0.key)):\(JSONWriter.quoted($0.value))"
        }
        raw("meta", "{\(members.joined(separator: ","))}")
    }
}
