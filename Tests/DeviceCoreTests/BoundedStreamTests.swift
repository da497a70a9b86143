import DeviceCore
import TestSupport
import Testing

@Suite struct BoundedStreamTests {
    @Test(arguments: [1, 2, 7, 8, 9, 100]) func keepsTheOrderAndTheNewest(_ limit: Int) async throws {
        let stream = BoundedStream<Int>(limit: limit)
        var sent = 0
        var expectedDrops: UInt64 = 0
        for burst in [0, 1, 3, 12, 64, 5, 300] {
            stream.send(contentsOf: Array(sent..<sent + burst))
            sent += burst
            let kept = min(burst, limit)
            expectedDrops += UInt64(burst - kept)
            #expect(stream.count == kept)
            #expect(stream.dropped == expectedDrops)
            var iterator = stream.makeAsyncIterator()
            for expected in sent - kept..<sent { #expect(await iterator.next() == expected) }
            #expect(stream.takeAll() == [])
        }
        #expect(BoundedStream<Int>(limit: -1).limit == 1)
    }

    /// Sending and reading in turn, so that the ring turns round many times while it grows.
    @Test func ordersThroughEveryTurnOfTheRing() async {
        let stream = BoundedStream<Int>(limit: 50)
        var iterator = stream.makeAsyncIterator()
        var (sent, read) = (0, 0)
        for step in 0..<500 {
            for _ in 0..<(step % 7) where sent - read < 50 {
                stream.send(sent)
                sent += 1
            }
            for _ in 0..<(step % 5) where read < sent {
                #expect(await iterator.next() == read)
                read += 1
            }
        }
        #expect(stream.takeAll() ?? [] == Array(read..<sent))
        #expect(stream.dropped == 0)
    }

    @Test func finishEndsAfterWhatWaits() async {
        let stream = BoundedStream<Int>(limit: 10)
        stream.send(contentsOf: [1, 2])
        stream.finish()
        stream.send(3)
        var read: [Int] = []
        for await element in stream { read.append(element) }
        #expect(read == [1, 2])
        #expect(stream.takeAll() == nil)
        for await _ in stream { Issue.record("it has ended") }
    }

    @Test func takeAllTakesEverything() {
        let stream = BoundedStream<Int>(limit: 3)
        #expect(stream.takeAll() == [])
        stream.send(contentsOf: [1, 2, 3, 4])
        #expect(stream.takeAll() == [2, 3, 4])
        stream.send(5)
        #expect(stream.takeAll() == [5])
    }

    @Test func aReaderThatIsNoTaskIsCalledWhenSomethingComes() {
        let stream = BoundedStream<Int>(limit: 3)
        let calls = Locked(0)
        stream.send(1)
        stream.notify { calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 1, "something waited already")
        stream.send(contentsOf: [2, 3, 4])
        stream.send(5)
        #expect(calls.withLock { $0 } == 1, "it has been called and has not read yet")
        #expect(stream.takeAll() == [3, 4, 5])
        stream.send(contentsOf: [])
        #expect(calls.withLock { $0 } == 1)
        stream.send(6)
        #expect(calls.withLock { $0 } == 2)
        #expect(stream.takeAll() == [6])
        stream.notify(nil)
        stream.send(7)
        #expect(calls.withLock { $0 } == 2)
        #expect(stream.takeAll() == [7])
    }

    /// The reader may read, and send, in the call.
    @Test func aReaderReadsInTheCall() {
        let stream = BoundedStream<Int>(limit: 100)
        let read = Locked<[Int]>([])
        stream.notify {
            let batch = stream.takeAll() ?? []
            read.withLock { $0 += batch }
            if batch == [1] { stream.send(2) }
        }
        stream.send(1)
        stream.send(contentsOf: Array(3..<40))
        #expect(read.withLock { $0 } == Array(1..<40))
    }

    /// Senders on many threads and a reader that is called: nothing is left behind.
    @Test func noCallIsLost() async {
        let stream = BoundedStream<Int>(limit: 100_000)
        let read = Locked<[Int]>([])
        stream.notify { read.withLock { $0 += stream.takeAll() ?? [] } }
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<4 {
                group.addTask { for number in 0..<5000 { stream.send(sender * 5000 + number) } }
            }
        }
        #expect(read.withLock { $0.sorted() } == Array(0..<20_000))
    }

    /// A loop that is left and begun again loses nothing.
    @Test func aSecondLoopGoesOn() async {
        let stream = BoundedStream<Int>(limit: 10)
        stream.send(contentsOf: [1, 2, 3])
        for await element in stream {
            #expect(element == 1)
            break
        }
        for await element in stream {
            #expect(element == 2)
            break
        }
        #expect(stream.takeAll() == [3])
    }

    @Test func whatWasReadIsNotKeptAlive() async {
        final class Thing: Sendable {}
        let stream = BoundedStream<Thing>(limit: 10)
        weak var weakly: Thing?
        do {
            let thing = Thing()
            weakly = thing
            stream.send(thing)
        }
        #expect(weakly != nil)
        do {
            var iterator = stream.makeAsyncIterator()
            _ = await iterator.next()
        }
        #expect(weakly == nil)
    }

    @Test func aWaitingReaderIsWokenByAnElementByTheEndAndByCancellation() async throws {
        let stream = BoundedStream<Int>(limit: 10)
        func reader() -> Task<Int?, Never> {
            Task {
                var iterator = stream.makeAsyncIterator()
                return await iterator.next()
            }
        }
        let first = reader()
        stream.send(1)
        #expect(try await within { await first.value } == 1)
        let second = reader()
        second.cancel()
        #expect(try await within { await second.value } == nil)
        let third = reader()
        stream.finish()
        #expect(try await within { await third.value } == nil)
    }

    /// One reader's cancellation neither ends another nor loses an element.
    @Test func cancellationOfOneReader() async throws {
        for _ in 0..<200 {
            let stream = BoundedStream<Int>(limit: 10)
            let cancelled = Task { for await _ in stream {} }
            let other = Task {
                var read: [Int] = []
                for await element in stream { read.append(element) }
                return read
            }
            cancelled.cancel()
            try await within { await cancelled.value }
            stream.send(contentsOf: [1, 2, 3])
            stream.finish()
            #expect(try await within { await other.value } == [1, 2, 3])
        }
    }

    /// Senders and readers at full speed: every element is read once or counted as dropped, and nobody sleeps on.
    @Test(arguments: [1, 4]) func noWakeUpIsLost(_ readers: Int) async throws {
        let stream = BoundedStream<Int>(limit: 64)
        let senders = 4
        let each = 5000
        let all = try await within(.seconds(90)) {
            async let read = withTaskGroup(of: [Int].self) { group in
                for _ in 0..<readers {
                    group.addTask {
                        var own: [Int] = []
                        for await element in stream { own.append(element) }
                        return own
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            await withTaskGroup(of: Void.self) { group in
                for sender in 0..<senders {
                    group.addTask {
                        for number in 0..<each {
                            stream.send(sender * each + number)
                            if number.isMultiple(of: 50) { await Task.yield() }
                        }
                    }
                }
            }
            stream.finish()
            return await read
        }
        #expect(Set(all).count == all.count)
        #expect(UInt64(all.count) + stream.dropped == UInt64(senders * each))
        if readers == 1 {
            for sender in 0..<senders {
                let own = all.filter { $0 / each == sender }
                #expect(own == own.sorted())
            }
        }
    }

    /// One element at a time to a reader that always waits: a single lost wake-up would hang it.
    @Test func pingPong() async throws {
        let there = BoundedStream<Int>(limit: 4)
        let back = BoundedStream<Int>(limit: 4)
        try await within(.seconds(90)) {
            async let echo: Void = { for await element in there { back.send(element) } }()
            var iterator = back.makeAsyncIterator()
            for number in 0..<5000 {
                there.send(number)
                let answer = await iterator.next()
                #expect(answer == number)
            }
            there.finish()
            await echo
        }
    }
}
