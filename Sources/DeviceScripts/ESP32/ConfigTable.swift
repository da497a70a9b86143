import DeviceCore
import DeviceLua

/// Reads the members of a configuration table with the errors that Xedge32 raises: `Invalidarg name`.
struct ConfigTable {
    private let table: LuaTable

    init(_ call: LuaCall, _ index: Int, isOptional: Bool = true) throws {
        if call.isNil(index), isOptional { table = LuaTable() } else { table = try call.table(index) }
    }

    init(_ table: LuaTable) { self.table = table }

    static func wrong(_ name: String, _ why: String) -> LuaError { LuaError("Invalidarg \(name): \(why)") }

    func value(_ name: String) -> LuaValue { table[name] }
    func has(_ name: String) -> Bool { !table[name].isNil }
    func isTrue(_ name: String) -> Bool { table[name].isTrue }

    /// A function that is kept, or nil.
    func function(_ name: String) throws -> LuaFunction? {
        switch table[name] {
        case .nil: return nil
        case .function(let function): return function
        case let other: throw Self.wrong(name, "a function is expected, not a \(other.kind)")
        }
    }

    func integer(_ name: String, in range: ClosedRange<Int64>, default standard: Int? = nil) throws -> Int {
        let value = table[name]
        if value.isNil, let standard { return standard }
        guard let number = value.wholeNumber, range.contains(number) else {
            throw Self.wrong(name, "\(range.lowerBound) to \(range.upperBound) is expected")
        }
        return Int(number)
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws -> Double {
        guard let number = table[name].double, range.contains(number) else {
            throw Self.wrong(name, "\(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    /// One of the words of an enumeration; nil where there is none.
    func word<Word: RawRepresentable & CaseIterable>(_ name: String, _ type: Word.Type = Word.self) throws -> Word?
    where Word.RawValue == String {
        if table[name].isNil { return nil }
        guard let text = table[name].text, let word = Word(rawValue: text) else {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw Self.wrong(name, "one of \(words) is expected")
        }
        return word
    }

    /// A table within this one; nil where there is none.
    func table(_ name: String) throws -> ConfigTable? {
        switch table[name] {
        case .nil: return nil
        case .table(let inner): return ConfigTable(inner)
        case let other: throw Self.wrong(name, "a table is expected, not a \(other.kind)")
        }
    }

    /// The elements of a list within this one.
    func list(_ name: String) throws -> [LuaValue] {
        switch table[name] {
        case .nil: return []
        case .table(let inner): return inner.list
        case let other: throw Self.wrong(name, "a list is expected, not a \(other.kind)")
        }
    }
}

extension ScriptBoard {
    /// Takes pins for the app that calls: each has to be permitted and free.
    func claim(_ pins: [Int], _ context: LuaContext) throws -> ScriptPinOwners.Claim {
        for pin in pins { try context.require(.pins, "\(pin)") }
        let count = owners.count(of: context.app.name)
        guard count + pins.count <= context.app.configuration.limits.pins else {
            throw LuaError("too many pins (at most \(context.app.configuration.limits.pins))")
        }
        do throws(DeviceError) { return try owners.claim(pins, by: context.app.name) } catch {
            throw LuaError(error.message)
        }
    }
}
