import DeviceCore
import DeviceProtocols

/// Reads the members of one object of a settings file. What is of the wrong kind or out of range becomes a problem and
/// counts as absent.
struct ConfigurationSection {
    let members: JSONObject
    /// `global_conf.json: gateway_conf`
    let path: String
    let problems: ConfigurationProblems

    func place(_ key: String) -> String { "\(path).\(key)" }

    func has(_ key: String) -> Bool { value(key) != nil }

    func value(_ key: String) -> JSONValue? {
        guard let value = members[key], !value.isNull else { return nil }
        return value
    }

    private func wrong(_ key: String, _ value: JSONValue, _ wanted: String) {
        problems.add(place(key), "this is \(value.kind)", hint: "Write \(wanted)")
    }

    func string(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.stringValue else {
            wrong(key, value, "text in double quotes")
            return nil
        }
        guard text.utf8.count <= 4096 else {
            problems.add(place(key), "this text is longer than 4096 bytes")
            return nil
        }
        return text
    }

    func flag(_ key: String) -> Bool? {
        guard let value = value(key) else { return nil }
        if value.boolValue == nil { wrong(key, value, "true or false") }
        return value.boolValue
    }

    func integer<Number: FixedWidthInteger>(_ key: String, in range: ClosedRange<Number>) -> Number? {
        guard let value = value(key) else { return nil }
        guard let whole = value.integerValue else {
            wrong(key, value, "a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        guard let number = Number(exactly: whole), range.contains(number) else {
            problems.add(
                place(key), "\(whole) is out of range",
                hint: "Write a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    func number(_ key: String, in range: ClosedRange<Double>) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.doubleValue else {
            wrong(key, value, "a number")
            return nil
        }
        guard range.contains(number) else {
            problems.add(
                place(key), "\(number) is out of range",
                hint: "Write a number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    func section(_ key: String) -> ConfigurationSection? {
        guard let value = value(key) else { return nil }
        guard let members = value.objectValue else {
            wrong(key, value, "an object in braces")
            return nil
        }
        return ConfigurationSection(members: members, path: place(key), problems: problems)
    }

    /// The objects of an array.
    func sections(_ key: String, limit: Int) -> [ConfigurationSection] {
        guard let value = value(key) else { return [] }
        guard let elements = value.arrayValue else {
            wrong(key, value, "an array in brackets")
            return []
        }
        if elements.count > limit { problems.add(place(key), "more than \(limit) elements", hint: "Remove some") }
        return elements.prefix(limit).enumerated().compactMap { index, element in
            guard let members = element.objectValue else {
                problems.add("\(place(key))[\(index)]", "this is \(element.kind)", hint: "Write an object in braces")
                return nil
            }
            return ConfigurationSection(members: members, path: "\(place(key))[\(index)]", problems: problems)
        }
    }

    /// The strings of an array, or one string.
    func strings(_ key: String, limit: Int) -> [String] {
        guard let value = value(key) else { return [] }
        if let text = value.stringValue { return [text] }
        guard let elements = value.arrayValue, elements.count <= limit else {
            wrong(key, value, "text, or an array of at most \(limit) texts")
            return []
        }
        let texts = elements.compactMap(\.stringValue)
        if texts.count < elements.count { wrong(key, value, "an array of texts only") }
        return texts
    }

    /// `30s`, `10m`, `7d`, or a number of seconds.
    func duration(_ key: String, in range: ClosedRange<Duration>) -> Duration? {
        guard let value = value(key) else { return nil }
        var duration: Duration?
        if let seconds = value.doubleValue, seconds.magnitude < 1e9 { duration = .seconds(seconds) }
        if let text = value.stringValue {
            if text.hasSuffix("d"), let days = Double(text.dropLast()), days.magnitude < 1e4 {
                duration = .seconds(days * 86400)
            } else {
                duration = try? DurationText.parse(text)
            }
        }
        guard let duration, range.contains(duration) else {
            problems.add(
                place(key), "this is no duration from \(range.lowerBound) to \(range.upperBound)",
                hint: "Write 500ms, 10s, 5m, 2h or 7d")
            return nil
        }
        return duration
    }

    func eui(_ key: String) -> GatewayEUI? {
        guard let text = string(key) else { return nil }
        // A common way to write it, besides 16 digits: AA-55-5A-00-...
        let digits = text.filter { $0 != "-" && $0 != ":" }
        guard let eui = GatewayEUI(digits) else {
            problems.add(
                place(key), "\(JSONWriter.quoted(text.prefix(60))) is no EUI", hint: "Write 16 hexadecimal digits")
            return nil
        }
        return eui
    }

    /// Members that nothing reads are spelling mistakes in a file of our own.
    func refuseUnknown(_ known: [String]) {
        for key in members.keys where !known.contains(key) {
            let nearest = EditDistance.closest(to: key, among: known, limit: 1).first
            problems.add(
                place(String(key.prefix(60)).printable), "this is no setting",
                hint: nearest.map { "Perhaps \(JSONWriter.quoted($0)) is meant" }
                    ?? "Known here: \(known.joined(separator: ", "))")
        }
    }
}
