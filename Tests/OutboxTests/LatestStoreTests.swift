import Testing

@testable import Outbox

@Suite struct LatestStoreTests {
    @Test func keepsTheNewestOfEachKeyInOrder() {
        var store = LatestStore<Int>()
        for (value, key) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] { store.put(value, bytes: 10, for: key) }
        #expect(store.replaced == 1)
        #expect(store.bytes == 33)
        let all = store.takeAll()
        #expect(all.map(\.key) == ["b", "a", "c"])
        #expect(all.map(\.message) == [2, 3, 4])
        #expect(store.count == 0 && store.bytes == 0 && store.dropped == 0)
    }

    @Test func oldestKeysMakeRoom() {
        var store = LatestStore<Int>(maximumKeys: 3)
        for key in ["a", "b", "c", "a", "d"] { store.put(0, bytes: 1, for: key) }
        #expect(store.dropped == 1)
        #expect(store.takeAll().map(\.key) == ["c", "a", "d"])
    }

    @Test func bytesAreBounded() {
        var store = LatestStore<Int>(maximumKeys: 10, maximumBytes: 100)
        for key in ["a", "b", "c"] { store.put(0, bytes: 40, for: key) }
        #expect(store.dropped == 1 && store.count == 2 && store.bytes == 82)
        // Too large: the older message of the key is no longer the latest either.
        let isTaken = store.put(0, bytes: 100, for: "c")
        #expect(!isTaken)
        #expect(store.dropped == 2)
        #expect(store.takeAll().map(\.key) == ["b"])
        let isHugeTaken = store.put(0, bytes: .max, for: "d")
        #expect(!isHugeTaken)
    }
}
