/// The memory of a ``Deduplicator``, without I/O.
struct DeduplicatorState: Sendable {
    struct Stream: Hashable, Sendable {
        var source: UInt64
        var epoch: UInt32
    }

    private struct Slot {
        var stream: Stream
        var runs = SequenceRuns()
        /// When it was last heard of.
        var order: UInt64
    }

    private let limit: Int
    private var slots: [Slot] = []
    private var index: [Stream: Int] = [:]
    private var order: UInt64 = 0
    private(set) var evicted: UInt64 = 0

    init(streams: Int) { limit = max(1, streams) }

    var count: Int { slots.count }

    /// What is known of a message: seen, and whether only because it is too old.
    mutating func lookUp(_ id: MessageID) -> (isSeen: Bool, isBelow: Bool) {
        guard let slot = index[Stream(source: id.source, epoch: id.epoch)] else { return (false, false) }
        order += 1
        slots[slot].order = order  // safe: the index holds only places of slots
        let runs = slots[slot].runs
        return (runs.contains(id.sequence), runs.isBelow(id.sequence))
    }

    /// Remembers a message; false when it was already.
    mutating func insert(_ id: MessageID) -> Bool {
        let stream = Stream(source: id.source, epoch: id.epoch)
        order += 1
        if let slot = index[stream] {
            slots[slot].order = order  // safe: the index holds only places of slots
            return slots[slot].runs.insert(id.sequence)
        }
        var slot = Slot(stream: stream, order: order)
        defer { place(slot) }
        return slot.runs.insert(id.sequence)
    }

    /// Takes in a stored window.
    mutating func restore(_ stream: Stream, _ window: SequenceWindow) {
        order += 1
        if let slot = index[stream] {
            slots[slot].runs.restore(window)  // safe: the index holds only places of slots
        } else {
            var slot = Slot(stream: stream, order: order)
            slot.runs.restore(window)
            place(slot)
        }
    }

    private mutating func place(_ slot: Slot) {
        if slots.count < limit {
            index[slot.stream] = slots.count
            slots.append(slot)
            return
        }
        var oldest = 0
        for place in slots.indices where slots[place].order < slots[oldest].order { oldest = place }
        index[slots[oldest].stream] = nil
        index[slot.stream] = oldest
        slots[oldest] = slot
        evicted += 1
    }

    /// All windows, the one heard of longest ago first.
    var windows: [(stream: Stream, window: SequenceWindow)] {
        slots.sorted { $0.order < $1.order }.flatMap { slot in slot.runs.windows.map { (slot.stream, $0) } }
    }
}
