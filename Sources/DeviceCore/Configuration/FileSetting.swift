/// Turns a value of the settings file into arguments.
struct FileSetting {
    let path: String
    let flag: FlagDescription

    /// The arguments that a value stands for. Throws `.configuration` if it is of the wrong kind.
    func arguments(_ value: JSONValue) throws(DeviceError) -> [String] {
        switch (flag.kind, value) {
        case (.flag, .bool(let isOn)): return isOn ? ["--\(flag.name)"] : []
        case (.flag, _): throw wrong(value, "Write true or false")
        case (.option, _): return ["--\(flag.name)=\(try text(value))"]
        case (.list, .array(let elements)):
            var arguments: [String] = []
            for element in elements { arguments.append("--\(flag.name)=\(try text(element))") }
            return arguments
        // One element needs no brackets.
        case (.list, _): return ["--\(flag.name)=\(try text(value))"]
        }
    }

    /// A string or number as it is, an object as `key=value,key`, in which an array is `key=value+value`.
    private func text(_ value: JSONValue) throws(DeviceError) -> String {
        if let text = scalar(value) { return text }
        guard let members = value.objectValue else {
            throw wrong(value, flag.kind == .option ? "Write a string" : "Write an array of strings")
        }
        var parts: [String] = []
        for (key, value) in members {
            switch value {
            case .bool(false), .null: continue
            case .bool(true): parts.append(key)
            default:
                parts.append("\(key)=\(try member(value, key))")
            }
            if parts.last?.contains(",") == true {
                throw DeviceError(
                    .configuration, "\(path): \(key) of \(JSONWriter.quoted(flag.name)) cannot hold a comma")
            }
        }
        return parts.joined(separator: ",")
    }

    /// A member of an object: a string or number, or several with `+` between them.
    private func member(_ value: JSONValue, _ key: String) throws(DeviceError) -> String {
        if let text = scalar(value) { return text }
        guard let elements = value.arrayValue, !elements.isEmpty else {
            throw wrong(value, "Write a string for \(key)")
        }
        var texts: [String] = []
        for element in elements {
            guard let text = scalar(element), !text.contains("+") else {
                throw wrong(element, "Write strings without a plus for \(key)")
            }
            texts.append(text)
        }
        return texts.joined(separator: "+")
    }

    private func scalar(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): number.description
        case .unsigned(let number): number.description
        case .number(let number): number.description
        default: nil
        }
    }

    private func wrong(_ value: JSONValue, _ hint: String) -> DeviceError {
        DeviceError(.configuration, "\(path): \(JSONWriter.quoted(flag.name)) cannot be \(value.kind)", hint: hint)
    }
}
