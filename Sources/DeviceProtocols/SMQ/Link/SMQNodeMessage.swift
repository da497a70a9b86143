public import NIOCore

/// A message of the channel that only nodes of this package open (see docs/cluster.md).
public enum SMQNodeMessage: Equatable, Sendable {
    /// The first: who the sender is. The id is chosen at random at each start; the name is for people.
    case hello(version: UInt8, id: UInt64, name: String)
    /// How the sender does.
    case status(NodeStatus)
    /// Answer when everything before this has been handled.
    case confirm(UInt32)
    /// The answer.
    case confirmed(UInt32)
    /// A type of a later version; it is passed over.
    case unknown(UInt8)

    /// The version of the channel that is spoken here.
    public static let version: UInt8 = 1
    /// The longest name, in bytes; longer ones are cut, before their last word where they have several: a shortened
    /// address would be another one.
    public static let maximumName = 64

    /// A name as it is sent.
    static func shortened(_ name: String) -> String {
        guard name.utf8.count > maximumName else { return name }
        let tail = name.lastIndex(of: " ").map { name[$0...] } ?? ""
        guard tail.utf8.count > 1, tail.utf8.count < maximumName else { return cut(name[...], maximumName) }
        return cut(name[..<tail.startIndex], maximumName - tail.utf8.count) + tail
    }

    /// A name's beginning, in whole characters.
    private static func cut(_ name: Substring, _ count: Int) -> String {
        var end = name.utf8.index(name.startIndex, offsetBy: count, limitedBy: name.endIndex) ?? name.endIndex
        while end > name.startIndex, String.Index(end, within: name) == nil { end = name.utf8.index(before: end) }
        return String(name[..<end])
    }

    /// Reads a frame's data. Fields that a later version has added at the end are passed over.
    public init(_ data: ByteBuffer, channel: UInt16) throws(SMQLinkError) {
        guard let message = Self.read(data) else { throw .truncated(id: channel, length: data.readableBytes) }
        self = message
    }

    private static func read(_ data: ByteBuffer) -> SMQNodeMessage? {
        var data = data
        guard let type = data.readInteger(as: UInt8.self) else { return nil }
        switch type {
        case 1:
            guard let (version, id) = data.readMultipleIntegers(as: (UInt8, UInt64).self),
                let length = data.readInteger(as: UInt8.self).map(Int.init), length <= maximumName,
                let name = data.readSlice(length: length)
            else { return nil }
            return .hello(version: version, id: id, name: name.remainingText())
        case 2:
            typealias Fields = (UInt32, UInt16, UInt64, UInt8)
            guard let (clients, processor, memory, flags) = data.readMultipleIntegers(as: Fields.self) else {
                return nil
            }
            // Nodes of version 0.1 end here.
            let share = data.readInteger(as: UInt16.self) ?? 0
            return .status(
                NodeStatus(
                    clients: clients, processor: processor, memory: memory, memoryShare: share,
                    isDraining: flags & 1 != 0))
        case 3: return data.readInteger(as: UInt32.self).map { .confirm($0) }
        case 4: return data.readInteger(as: UInt32.self).map { .confirmed($0) }
        default: return .unknown(type)
        }
    }
}

extension ByteBuffer {
    /// Appends a whole frame.
    public mutating func writeSMQNode(_ message: SMQNodeMessage, channel: UInt16) {
        switch message {
        case .hello(let version, let id, let name):
            let name = SMQNodeMessage.shortened(name).utf8
            writeSMQLinkHead(channel, dataLength: 11 + name.count)
            writeMultipleIntegers(UInt8(1), version, id, UInt8(truncatingIfNeeded: name.count))
            writeBytes(name)
        case .status(let status):
            writeSMQLinkHead(channel, dataLength: 18)
            writeMultipleIntegers(UInt8(2), status.clients, status.processor, status.memory)
            writeMultipleIntegers(UInt8(status.isDraining ? 1 : 0), status.memoryShare)
        case .confirm(let request):
            writeSMQLinkHead(channel, dataLength: 5)
            writeMultipleIntegers(UInt8(3), request)
        case .confirmed(let request):
            writeSMQLinkHead(channel, dataLength: 5)
            writeMultipleIntegers(UInt8(4), request)
        case .unknown: break
        }
    }
}
