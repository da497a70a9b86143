/// Reads the pieces of a DNS message (RFC 1035, section 4), never outside of it.
struct DNSReader {
    private let message: [UInt8]
    /// Where the next piece begins.
    var position = 0

    init(_ message: [UInt8]) { self.message = message }

    mutating func skip(_ count: Int) -> Bool {
        guard message.count - position >= count else { return false }
        position += count
        return true
    }

    mutating func bytes(_ count: Int) -> ArraySlice<UInt8>? {
        let start = position
        guard skip(count) else { return nil }
        return message[start..<start + count]  // safe: skip checked it
    }

    mutating func uint16() -> UInt16? { bytes(2)?.reduce(0) { $0 << 8 | UInt16($1) } }

    mutating func uint32() -> UInt32? { bytes(4)?.reduce(0) { $0 << 8 | UInt32($1) } }

    /// A name in lower case with dots between its labels, empty for the root. Nil where it is malformed: cut off,
    /// longer than 255 bytes, or with pointers that do not go back.
    ///
    /// A dot inside a label is written as a backslash and a dot, so that it is no well-formed name of a host.
    mutating func name() -> [UInt8]? {
        var name: [UInt8] = []
        var cursor = position
        var lowest = position
        var hasJumped = false
        while cursor < message.count {
            let length = Int(message[cursor])  // safe: the loop's condition; cursor is never negative
            switch length & 0xC0 {
            case 0 where length == 0:
                if !hasJumped { position = cursor + 1 }
                return name
            case 0:
                guard cursor + 1 + length <= message.count, name.count + length < 255 else { return nil }
                if !name.isEmpty { name.append(0x2E) }
                for byte in message[cursor + 1..<cursor + 1 + length] {  // safe: checked above
                    if byte == 0x2E { name.append(0x5C) }
                    name.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
                }
                cursor += 1 + length
            case 0xC0:
                guard cursor + 1 < message.count else { return nil }
                let target = (length & 0x3F) << 8 | Int(message[cursor + 1])  // safe: checked above
                // Going back further each time, it ends.
                guard target < lowest else { return nil }
                if !hasJumped { position = cursor + 2 }
                hasJumped = true
                lowest = target
                cursor = target
            default: return nil
            }
        }
        return nil
    }

    struct RecordHeader {
        var owner: [UInt8]
        var type: UInt16
        var isInternet: Bool
        var timeToLive: UInt32
        var end: Int
    }

    /// What precedes a record's data, all of which is then in the message.
    mutating func recordHeader() -> RecordHeader? {
        guard let owner = name(), let type = uint16(), let zone = uint16(), let time = uint32(), let length = uint16(),
            message.count - position >= length
        else { return nil }
        // RFC 2181, section 8: with the first bit set it counts as 0.
        return RecordHeader(
            owner: owner, type: type, isInternet: zone == 1, timeToLive: time & 0x8000_0000 == 0 ? time : 0,
            end: position + Int(length))
    }

    /// A record's data; nil where it does not fit its length, or names a target that no host can have.
    mutating func value(_ type: DNSRecordType, until end: Int) -> DNSRecord.Value? {
        switch type {
        case .a, .aaaa:
            guard end - position == (type == .a ? 4 : 16), let data = bytes(end - position) else { return nil }
            return IPAddress(bytes: data).map(DNSRecord.Value.address)
        case .srv:
            guard let priority = uint16(), let weight = uint16(), let port = uint16(), let target = name(),
                position <= end, target.isEmpty || DNSName.isWellFormed(target)
            else { return nil }
            return .service(
                target: String(decoding: target, as: UTF8.self), port: Int(port), priority: Int(priority),
                weight: Int(weight))
        }
    }
}
