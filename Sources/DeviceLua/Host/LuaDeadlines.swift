import DeviceCore

/// What is to happen at a time, earliest first; what was set first comes first of the same time.
struct LuaDeadlines {
    /// Names one of them, for ``cancel(_:)``.
    typealias ID = UInt64
    typealias Action = (LuaContext) -> Void

    private struct Entry {
        let time: MonotonicTime
        let id: ID

        static func < (left: Entry, right: Entry) -> Bool { (left.time, left.id) < (right.time, right.id) }
    }

    /// A heap. What was cancelled stays until it is due or the heap is mostly that.
    private var heap: [Entry] = []
    private var actions: [ID: Action] = [:]
    private var lastID: ID = 0

    /// How many are set.
    var count: Int { actions.count }

    /// When the next one is due.
    var next: MonotonicTime {
        mutating get {
            while let first = heap.first, actions[first.id] == nil { _ = removeFirst() }
            return heap.first?.time ?? .distantFuture
        }
    }

    @discardableResult
    mutating func add(at time: MonotonicTime, _ action: @escaping Action) -> ID {
        lastID += 1
        actions[lastID] = action
        heap.append(Entry(time: time, id: lastID))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { break }  // safe: both are below count
            heap.swapAt(child, parent)
            child = parent
        }
        return lastID
    }

    mutating func cancel(_ id: ID) {
        guard actions.removeValue(forKey: id) != nil, heap.count > 2 * actions.count + 32 else { return }
        let rest = heap.filter { actions[$0.id] != nil }.sorted(by: <)
        heap = rest
    }

    /// The next one that is due, taken out.
    mutating func take(at now: MonotonicTime) -> Action? {
        while let first = heap.first, first.time <= now {
            _ = removeFirst()
            if let action = actions.removeValue(forKey: first.id) { return action }
        }
        return nil
    }

    private mutating func removeFirst() -> Entry? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if heap.isEmpty { return first }
        heap[0] = last  // safe: not empty
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            if least == parent { return first }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
