import DeviceCore
import Outbox

/// Decides, for one log of the outbox, what is sent when and what is done with: no I/O, no clock.
///
/// It holds what is under way (numbers and times, no payloads: what is sent again is read again from the log, which by
/// then may know that it has expired). Under way is everything from the oldest message that is not done to the newest
/// one sent; the numbers in between never spread wider than the window, so that a receiver can tell copies apart.
struct LogSenderStateMachine {
    struct Limits {
        var window = 256
        var windowBytes = 1 << 20
        var firstRepeat = Duration.milliseconds(100)
        var repeatAfter = Duration.seconds(1)
        var repeatCap = Duration.seconds(30)
        var retryInterval = Duration.seconds(5)
    }

    /// A read of the log that is to be made now.
    struct Read: Equatable {
        var from: UInt64
        var limit: Int
        var bytes: Int
    }

    /// A message that was read.
    struct Entry {
        var id: RecordID
        var level: SMQDeliveryLevel
        /// Milliseconds since 1970.
        var published: Int64
        var bytes: Int
    }

    private enum Progress: Equatable {
        /// To be sent in this session, or in the next.
        case waiting
        /// Sent before the barrier of that number; the time is that of its repetition, if it is to be repeated.
        case sent(barrier: UInt64, due: MonotonicTime)
        case done
    }

    private struct Item {
        var entry: Entry
        var progress = Progress.waiting
        var firstSent: MonotonicTime?
        /// Repetitions in this session.
        var repetitions = 0

        func mustBeSent(_ now: MonotonicTime) -> Bool {
            switch progress {
            case .waiting: true
            case .sent(_, let due): now >= due
            case .done: false
            }
        }
    }

    let limits: Limits
    private var items: [Item] = []
    private var isOpen = false
    /// Whether a receiver has acknowledged something in this session. Before that, what was sent was probably sent to
    /// nobody: after all brokers were down a sender is often back before its receivers.
    private var isHeard = false
    /// Where reading goes on after what is under way.
    private var cursor: UInt64 = 0
    /// There may be something to read from the cursor on.
    private var hasMore = true
    /// How many items are ``Progress/waiting``.
    private var waiting = 0
    /// Not later than the first repetition.
    private var due = MonotonicTime.distantFuture
    private var retryAt = MonotonicTime.zero
    private var oldestUnread: Int64?

    /// Messages sent, repetitions included.
    private(set) var sent: UInt64 = 0
    /// Messages sent that had been sent before.
    private(set) var repeated: UInt64 = 0
    private(set) var acknowledged: UInt64 = 0
    /// From a message's first transmission to its acknowledgement, summed up.
    private(set) var totalLatency = Duration.zero
    private(set) var lastLatency: Duration?
    private(set) var bytesUnderWay = 0

    init(limits: Limits) {
        self.limits = limits
    }

    /// Messages that were sent and are not done.
    var underWay: Int { items.reduce(0) { $1.progress == .done ? $0 : $0 + 1 } }
    /// When the oldest message that is not done was published, in milliseconds since 1970; nil when there is none that
    /// this machine knows of.
    var oldestPublished: Int64? { items.first?.entry.published ?? oldestUnread }
    /// When to ask ``nextRead(now:)`` again after it gave nothing, if nothing happens before.
    func nextTime(now: MonotonicTime) -> MonotonicTime {
        guard isOpen else { return .distantFuture }
        return retryAt > now && (waiting > 0 || hasMore) ? retryAt : max(due, retryAt)
    }

    // MARK: What happened

    /// A message was stored.
    mutating func stored(published: Int64) {
        hasMore = true
        if oldestUnread == nil { oldestUnread = published }
    }

    /// A session begins: everything that is under way is sent again, oldest first.
    mutating func sessionOpened() {
        restart()
        isOpen = true
        isHeard = false
        retryAt = .zero
    }

    /// The session is over. What is under way is not forgotten.
    mutating func sessionEnded() {
        restart()
        isOpen = false
    }

    private mutating func restart() {
        waiting = 0
        due = .distantFuture
        for index in items.indices where items[index].progress != .done {
            items[index].progress = .waiting
            items[index].repetitions = 0
            waiting += 1
        }
    }

    /// The broker has handled everything that was sent before a barrier: returns what is done by that.
    mutating func passed(barrier: UInt64, now: MonotonicTime) -> [RecordID] {
        var ended: [RecordID] = []
        for index in items.indices where items[index].entry.level == .broker {
            if case .sent(let number, _) = items[index].progress, number <= barrier {
                ended.append(items[index].entry.id)
                acknowledge(index, now)
            }
        }
        removeDone()
        return ended
    }

    /// Receivers have acknowledged messages, perhaps not for the first time: returns those that are done by that.
    ///
    /// What is not under way, or was not sent end to end, is not done by what a peer says.
    mutating func acknowledge(_ ids: [RecordID], now: MonotonicTime) -> [RecordID] {
        var ended: [RecordID] = []
        for id in ids {
            guard let index = index(of: id.sequence), items[index].entry.id == id,
                items[index].entry.level == .endToEnd, items[index].firstSent != nil, items[index].progress != .done
            else { continue }
            ended.append(id)
            acknowledge(index, now)
            isHeard = true
        }
        removeDone()
        return ended
    }

    /// Messages that cannot be sent at all: returns those that were under way.
    mutating func giveUp(_ ids: [RecordID]) -> [RecordID] {
        var ended: [RecordID] = []
        for id in ids {
            guard let index = index(of: id.sequence), items[index].entry.id == id, items[index].progress != .done else {
                continue
            }
            ended.append(id)
            end(index)
        }
        removeDone()
        return ended
    }

    /// The log could not be read.
    mutating func readFailed(now: MonotonicTime) {
        hasMore = true
        retryAt = now + limits.retryInterval
    }

    // MARK: What to do

    /// The read to make now: first what has to be sent again, then what is new; nil while there is nothing, or no room
    /// in the window, or no session.
    mutating func nextRead(now: MonotonicTime) -> Read? {
        guard isOpen, now >= retryAt else { return nil }
        if waiting > 0 || now >= due {
            if let first = items.first(where: { $0.mustBeSent(now) }) {
                return Read(from: first.entry.id.sequence, limit: limits.window, bytes: limits.windowBytes)
            }
            findDue()
        }
        let room = self.room
        guard hasMore, room > 0 else { return nil }
        hasMore = false
        return Read(from: cursor, limit: room, bytes: max(1, limits.windowBytes - bytesUnderWay))
    }

    /// How many new messages may be sent.
    private var room: Int {
        guard let first = items.first else { return limits.window }
        guard bytesUnderWay < limits.windowBytes else { return 0 }
        return limits.window - Int(clamping: cursor - first.entry.id.sequence)
    }

    /// Takes what a read gave, in the log's order and up to the number `last` (nil: to the end of the log), and returns
    /// which of it to send now, before the barrier of that number.
    mutating func take(
        _ entries: [Entry], of read: Read, through last: UInt64?, barrier: UInt64, now: MonotonicTime
    ) -> [Int] {
        removeMissing(entries, read.from, last ?? .max)
        guard isOpen else {
            hasMore = true
            return []
        }
        var chosen: [Int] = []
        for (offset, entry) in entries.enumerated() {
            let sequence = entry.id.sequence
            if sequence >= cursor {
                // Nothing waits before it, so that is where reading goes on, also if it has to wait for its turn.
                cursor = sequence
                hasMore = true
                guard room > 0 else { break }
                cursor = sequence + 1
                items.append(Item(entry: entry))
                waiting += 1
                bytesUnderWay += entry.bytes
                oldestUnread = entry.published
            }
            // What is not there was done while the log was read.
            guard let index = index(of: sequence), items[index].mustBeSent(now) else { continue }
            chosen.append(offset)
            markSent(index, barrier, now)
        }
        if last == nil, !hasMore { oldestUnread = nil }
        findDue()
        return chosen
    }

    private mutating func markSent(_ index: Int, _ barrier: UInt64, _ now: MonotonicTime) {
        let item = items[index]
        sent += 1
        if item.firstSent == nil { items[index].firstSent = now } else { repeated += 1 }
        if item.progress == .waiting { waiting -= 1 }
        var again = MonotonicTime.distantFuture
        if item.entry.level == .endToEnd {
            let first = isHeard ? limits.repeatAfter : min(limits.repeatAfter, limits.firstRepeat)
            again = now + min(limits.repeatCap, first * (1 << min(item.repetitions, 20)))
            items[index].repetitions += 1
        }
        items[index].progress = .sent(barrier: barrier, due: again)
    }

    /// What the log no longer has, it has dropped, or has found expired or damaged; and counted.
    private mutating func removeMissing(_ entries: [Entry], _ first: UInt64, _ last: UInt64) {
        var next = entries.startIndex
        for index in items.indices where items[index].progress != .done {
            let sequence = items[index].entry.id.sequence
            guard sequence >= first, sequence <= last else { continue }
            while next < entries.endIndex, entries[next].id.sequence < sequence { next += 1 }
            if next == entries.endIndex || entries[next].id.sequence != sequence { end(index) }
        }
        removeDone()
    }

    // MARK: Items

    private func index(of sequence: UInt64) -> Int? {
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low + high) / 2
            if items[middle].entry.id.sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low < items.count && items[low].entry.id.sequence == sequence ? low : nil
    }

    private mutating func acknowledge(_ index: Int, _ now: MonotonicTime) {
        if let first = items[index].firstSent {
            lastLatency = now - first
            totalLatency += now - first
        }
        acknowledged += 1
        end(index)
    }

    private mutating func end(_ index: Int) {
        if items[index].progress == .waiting { waiting -= 1 }
        bytesUnderWay -= items[index].entry.bytes
        items[index].progress = .done
    }

    private mutating func removeDone() {
        let count = items.prefix { $0.progress == .done }.count
        if count > 0 { items.removeFirst(count) }
    }

    private mutating func findDue() {
        due = .distantFuture
        for item in items { if case .sent(_, let time) = item.progress { due = min(due, time) } }
    }
}
