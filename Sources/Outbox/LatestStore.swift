/// Keeps the newest message of each key until it can be sent: `.latest(key)` while there is no connection.
///
/// It is in memory only. A latest value says what is so now; the program announces its state after each connect and
/// after each start, and a value from before a restart would be a stale one. What must outlive the process belongs
/// into an ``OutboxLog``. A struct without I/O: its owner brings the lock.
///
/// Promise: ``takeAll()`` gives, of each key, the message that was put last, unless that key had to make room
/// (``dropped``). Lost when the process ends.
public struct LatestStore<Message: Sendable>: Sendable {
    private struct Entry {
        var message: Message
        var bytes: Int
        var order: UInt64
    }

    private var entries: [String: Entry] = [:]
    private var order: UInt64 = 0
    /// The largest number of keys.
    public let maximumKeys: Int
    /// The largest sum of message and key bytes.
    public let maximumBytes: Int
    /// Messages and keys in bytes, as their owner counted them.
    public private(set) var bytes = 0
    /// Keys whose message was put out because newer ones needed the room, and messages larger than the whole store.
    public private(set) var dropped: UInt64 = 0
    /// Messages that a newer one of the same key replaced. That is what the store is for; no loss.
    public private(set) var replaced: UInt64 = 0

    /// An empty store. When it is full, the keys that were put longest ago make room and are counted.
    public init(maximumKeys: Int = 256, maximumBytes: Int = 1 << 20) {
        self.maximumKeys = max(1, maximumKeys)
        self.maximumBytes = max(1, maximumBytes)
    }

    /// The number of keys that have a message.
    public var count: Int { entries.count }

    /// Replaces the key's message. Returns false when the message alone is larger than the store, which counts as
    /// dropped; the key then has no message, because the older one is no longer the latest.
    @discardableResult
    public mutating func put(_ message: Message, bytes size: Int, for key: String) -> Bool {
        if remove(key) { replaced += 1 }
        let size = max(0, size).addingReportingOverflow(key.utf8.count)
        guard !size.overflow, size.partialValue <= maximumBytes else {
            dropped += 1
            return false
        }
        while entries.count >= maximumKeys || bytes > maximumBytes - size.partialValue {
            guard let oldest = entries.min(by: { $0.value.order < $1.value.order })?.key else { break }
            remove(oldest)
            dropped += 1
        }
        order += 1
        entries[key] = Entry(message: message, bytes: size.partialValue, order: order)
        bytes += size.partialValue
        return true
    }

    /// Forgets the key's message; false when it has none.
    @discardableResult
    public mutating func remove(_ key: String) -> Bool {
        guard let entry = entries.removeValue(forKey: key) else { return false }
        bytes -= entry.bytes
        return true
    }

    /// Takes all messages out, in the order in which they were put.
    public mutating func takeAll() -> [(key: String, message: Message)] {
        let all = entries.sorted { $0.value.order < $1.value.order }
        entries = [:]
        bytes = 0
        return all.map { ($0.key, $0.value.message) }
    }
}
