/// What is to happen, earliest first; of the same time, what was put in first.
struct EventQueue<Event> {
    private struct Entry {
        let time: UInt64
        let number: UInt64
        let event: Event

        func isBefore(_ other: Entry) -> Bool { (time, number) < (other.time, other.number) }
    }

    /// A binary heap: the children of place i are at 2i + 1 and 2i + 2.
    private var heap: [Entry] = []
    private var number: UInt64 = 0

    /// How many wait.
    var count: Int { heap.count }

    /// When the first is due.
    var nextTime: UInt64? { heap.first?.time }

    mutating func add(_ event: Event, at time: UInt64) {
        heap.append(Entry(time: time, number: number, event: event))
        number += 1
        var place = heap.count - 1
        while place > 0, heap[place].isBefore(heap[(place - 1) / 2]) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    /// Takes out the first when it is due by that time.
    mutating func popFirst(until limit: UInt64) -> (time: UInt64, event: Event)? {
        guard let first = heap.first, first.time <= limit else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count {
                if heap[child].isBefore(heap[least]) { least = child }
            }
            if least == place { break }
            heap.swapAt(place, least)
            place = least
        }
        return (first.time, first.event)
    }
}
