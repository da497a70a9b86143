import DeviceCore

/// Who is due next: a heap with one entry for each device.
struct Agenda: Sendable {
    struct Entry: Sendable {
        var time: MonotonicTime
        var device: Int32
    }

    private var heap: [Entry] = []

    /// When the first is due.
    var nextTime: MonotonicTime? { heap.first?.time }
    var count: Int { heap.count }

    mutating func add(_ device: Int32, at time: MonotonicTime) {
        heap.append(Entry(time: time, device: device))
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            // safe: both are below the heap's count
            guard heap[index].time < heap[parent].time else { break }
            heap.swapAt(index, parent)  // safe: as above
            index = parent
        }
    }

    /// Takes the first that is due.
    mutating func take(at now: MonotonicTime) -> Entry? {
        guard let first = heap.first, first.time <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last  // safe: it is not empty
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
                // safe: both are below the heap's count
                if heap[child].time < heap[least].time { least = child }
            }
            guard least != index else { return first }
            heap.swapAt(index, least)  // safe: as above
            index = least
        }
    }

    mutating func removeAll() { heap = [] }
}
