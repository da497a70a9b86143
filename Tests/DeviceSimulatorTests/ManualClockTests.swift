import DeviceCore
import DeviceSimulator
import Testing

@Suite(.timeLimit(.minutes(5))) struct ManualClockTests {
    @Test func wakesSleepersInOrderAndOnlyWhenMoved() async throws {
        let clock = ManualClock()
        let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
        for seconds in [3, 1, 2] {
            Task {
                try await clock.sleep(for: .seconds(seconds))
                continuation.yield(seconds)
            }
        }
        await clock.waitForSleepers(3)
        var woken = stream.makeAsyncIterator()
        for seconds in 1...3 {
            #expect(clock.sleeperCount == 4 - seconds)
            clock.advance(by: .seconds(1))
            #expect(await woken.next() == seconds)
        }
        #expect(clock.now.offset == .seconds(3))
        #expect(clock.sleeperCount == 0)
    }

    @Test func sleepUntilThePastReturnsAtOnce() async throws {
        let clock = ManualClock()
        clock.advance(by: .seconds(5))
        try await clock.sleep(until: ManualClock.Instant(offset: .seconds(5)))
        try await clock.sleep(for: .zero)
    }

    @Test func cancellationEndsASleep() async {
        let clock = ManualClock()
        let task = Task { try await clock.sleep(for: .seconds(1)) }
        await clock.waitForSleepers()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(clock.sleeperCount == 0)
        let already = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await clock.sleep(for: .seconds(1))
        }
        await #expect(throws: CancellationError.self) { try await already.value }
    }

    @Test func wrappedClocksCountFromTheirWrapping() async throws {
        let manual = ManualClock()
        manual.advance(by: .seconds(9))
        let clock = DeviceClock(manual)
        #expect(clock.now == .zero)
        let sleeper = Task { try await clock.sleep(until: MonotonicTime.zero + .seconds(2)) }
        await manual.waitForSleepers()
        manual.advance(by: .seconds(2))
        try await sleeper.value
        #expect(clock.now - .zero == .seconds(2))
        let real = DeviceClock(ContinuousClock())
        let start = real.now
        try await real.sleep(until: start + .milliseconds(5))
        #expect(real.now - start >= .milliseconds(5))
    }
}
