import DeviceCore

/// Which frames an up-link gets. Frames that are not LoRaWAN pass, except where DevAddr or JoinEUI is asked for.
struct UplinkFilter: Sendable, Hashable {
    /// Device addresses by their first bits.
    struct DevAddrPrefix: Sendable, Hashable, CustomStringConvertible {
        var address: UInt32
        var bits: Int

        /// Reads `26000000/7`; without a slash all 32 bits count.
        init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard (1...2).contains(parts.count), parts[0].utf8.count == 8, parts[0].allSatisfy(\.isHexDigit),
                let address = UInt32(parts[0], radix: 16)
            else { return nil }
            var bits = 32
            if parts.count == 2 {
                guard let number = Int(parts[1]), (0...32).contains(number) else { return nil }
                bits = number
            }
            self.bits = bits
            self.address = address & Self.mask(bits)
        }

        func contains(_ other: UInt32) -> Bool { other & Self.mask(bits) == address }

        private static func mask(_ bits: Int) -> UInt32 { bits == 0 ? 0 : .max << UInt32(32 - bits) }

        var description: String {
            let digits = String(address, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits + "/\(bits)"
        }
    }

    /// Empty: all.
    var devAddr: [DevAddrPrefix] = []
    /// Of join requests; empty: all.
    var joinEUI: [ClosedRange<UInt64>] = []
    /// Nothing that the server wants sent is sent.
    var isUplinkOnly = false

    /// Whether a frame passes. The frame's own bytes decide (LoRaWAN 1.0.3, section 4): byte 0 is MHDR; a join request
    /// has JoinEUI in bytes 1 to 8, data DevAddr in bytes 1 to 4, low byte first.
    func passes(_ payload: [UInt8]) -> Bool {
        if devAddr.isEmpty, joinEUI.isEmpty { return true }
        guard let head = payload.first else { return false }
        switch head >> 5 {
        case 0 where payload.count == 23:
            guard !joinEUI.isEmpty else { return true }
            let eui = payload[1..<9].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }  // safe: 23 bytes
            return joinEUI.contains { $0.contains(eui) }
        case 2, 4:
            guard payload.count >= 12 else { return false }
            guard !devAddr.isEmpty else { return true }
            let address = payload[1..<5].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }  // safe: 12 bytes
            return devAddr.contains { $0.contains(address) }
        default: return false
        }
    }

    /// Reads `0000000000000000-00000000000000ff`, or one EUI.
    static func range(_ text: String) -> ClosedRange<UInt64>? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy({ $0.utf8.count == 16 && $0.allSatisfy(\.isHexDigit) })
        else { return nil }
        let numbers = parts.compactMap { UInt64($0, radix: 16) }
        guard numbers.count == parts.count, let low = numbers.first, let high = numbers.last, low <= high else {
            return nil
        }
        return low...high
    }
}
