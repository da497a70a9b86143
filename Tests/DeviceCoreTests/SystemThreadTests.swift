import DeviceCore
import Testing

@Suite struct SystemThreadTests {
    @Test func joinWaitsForTheThread() throws {
        let done = Locked(0)
        let threads = try (0..<8).map { _ in
            try SystemThread.start(for: "a test") { done.withLock { $0 += 1 } }
        }
        for thread in threads { thread.join() }
        #expect(done.withLock { $0 } == 8)
    }

    @Test func whatTheSystemRefusesIsAnErrorAndReleasesWhatTheThreadHeld() {
        final class Held: Sendable {}
        weak var weakly: Held?
        do {
            let held = Held()
            weakly = held
            // More than there are addresses.
            let error = #expect(throws: DeviceError.self) {
                try SystemThread.detach(for: "a test", stack: 1 << 62) { withExtendedLifetime(held) {} }
            }
            #expect(error?.message.contains("a test") == true)
            #expect(!SystemThread.tryDetach(stack: 1 << 62) {})
        }
        #expect(weakly == nil)
    }
}
