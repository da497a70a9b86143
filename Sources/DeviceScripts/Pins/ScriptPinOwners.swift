import DeviceCore

/// Which app has which pin: one table for GPIO, PWM, pulse counters and the pins that a bus is said to be on.
final class ScriptPinOwners: Sendable {
    /// A pin that is taken; given back by ``release()`` or with the last reference.
    final class Claim: Sendable {
        let pins: [Int]
        private let owners: ScriptPinOwners
        private let isReleased = Locked(false)
        /// In a struct: a closure that stands in a generic type by itself gets another wrapper each time it is read.
        private struct Reader {
            let read: @Sendable () -> Bool?
        }
        private let reader = Locked<Reader?>(nil)

        fileprivate init(_ pins: [Int], _ owners: ScriptPinOwners) {
            self.pins = pins
            self.owners = owners
        }

        deinit { release() }

        /// Tells how the level of the pin is found, to be shown.
        func setReader(_ read: @escaping @Sendable () -> Bool?) { reader.withLock { $0 = Reader(read: read) } }
        fileprivate var level: Bool? { reader.withLock { $0 }?.read() ?? nil }

        func release() {
            let first = isReleased.withLock { released in
                defer { released = true }
                return !released
            }
            if first { owners.table.withLock { table in for pin in pins { table[pin] = nil } } }
        }
    }

    private struct Entry {
        let owner: String
        weak var claim: Claim?
    }

    private let table = Locked<[Int: Entry]>([:])

    /// Takes pins for an app, all or none.
    ///
    /// - Throws: `.busy` with the pin, in the words that Xedge32 has.
    func claim(_ pins: [Int], by owner: String) throws(DeviceError) -> Claim {
        try table.withLock { (table: inout [Int: Entry]) throws(DeviceError) in
            for (index, pin) in pins.enumerated() {
                if let other = table[pin] {
                    throw DeviceError(.busy, "Pin \(pin) in use", hint: "\(other.owner) has it")
                }
                if pins.prefix(index).contains(pin) { throw DeviceError(.busy, "Pin \(pin) in use") }
            }
            let claim = Claim(pins, self)
            for pin in pins { table[pin] = Entry(owner: owner, claim: claim) }
            return claim
        }
    }

    /// How many pins an app has.
    func count(of owner: String) -> Int { table.withLock { $0.values.reduce(0) { $0 + ($1.owner == owner ? 1 : 0) } } }

    /// Who has a pin.
    func owner(of pin: Int) -> String? { table.withLock { $0[pin]?.owner } }

    /// Every pin that is taken, its owner, and its level where it has one that can be told.
    var all: [(pin: Int, owner: String, level: Bool?)] {
        let entries = table.withLock { $0.map { (pin: $0.key, owner: $0.value.owner, claim: $0.value.claim) } }
        return entries.sorted { $0.pin < $1.pin }.map { ($0.pin, $0.owner, $0.claim?.level) }
    }
}
