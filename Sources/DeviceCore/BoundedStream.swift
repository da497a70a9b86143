/// A bounded queue from many senders to one reader, read with `for await`.
///
/// When it is full the oldest elements make room and are counted in ``dropped``: who reads events late wants the
/// newest. Senders never wait. A whole batch enters under one lock and wakes the reader once. A reader that is no task
/// has itself called instead, see ``notify(_:)``.
public final class BoundedStream<Element: Sendable>: AsyncSequence, Sendable {
    private struct State {
        /// A ring: the elements that wait begin at `head`; all other places are nil and keep nothing alive.
        var ring: [Element?] = []
        var head = 0
        var count = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var notify: (@Sendable () -> Void)?
        var isFinished = false
        var dropped: UInt64 = 0

        mutating func takeWaiting() -> [CheckedContinuation<Void, Never>] {
            defer { waiting = [] }
            return waiting
        }

        mutating func append(_ element: Element, limit: Int) {
            if count == limit {
                dropped += 1
                _ = removeFirst()
            } else if count == ring.count {
                grow(to: Swift.min(limit, Swift.max(8, ring.count * 2)))
            }
            var index = head + count
            if index >= ring.count { index -= ring.count }
            ring[index] = element
            count += 1
        }

        mutating func removeFirst() -> Element? {
            guard count > 0 else { return nil }
            let element = ring[head]
            ring[head] = nil
            head = head + 1 == ring.count ? 0 : head + 1
            count -= 1
            return element
        }

        private mutating func grow(to size: Int) {
            let waiting = Array(ring[head...] + ring[..<head])
            ring = waiting + Array(repeating: nil, count: size - waiting.count)
            head = 0
        }
    }

    private let state = Locked(State())
    /// The largest number of elements that wait.
    public let limit: Int

    /// An empty queue.
    public init(limit: Int) { self.limit = Swift.max(1, limit) }

    /// Elements that made room for newer ones because nobody read them in time.
    public var dropped: UInt64 { state.withLock { $0.dropped } }
    /// Elements that wait now.
    public var count: Int { state.withLock { $0.count } }

    /// Adds one element.
    public func send(_ element: Element) { send(contentsOf: CollectionOfOne(element)) }

    /// Adds a batch in order. After ``finish()`` it does nothing.
    public func send(contentsOf batch: some Collection<Element>) {
        guard !batch.isEmpty else { return }
        var notify: (@Sendable () -> Void)?
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard !state.isFinished else { return [] }
            if state.count == 0 { notify = state.notify }
            for element in batch { state.append(element, limit: limit) }
            return state.takeWaiting()
        }
        for reader in waiting { reader.resume() }
        notify?()
    }

    /// Has a function called by each sender whose elements come while nothing waits, and at once when something does:
    /// for a reader that is no task and takes what waits by ``takeAll()``. A sender may hold locks: the function should
    /// do no more than wake who reads. nil ends it. One reader only.
    public func notify(_ reader: (@Sendable () -> Void)?) {
        let isNews = state.withLock { state in
            state.notify = reader
            return state.count > 0
        }
        if isNews { reader?() }
    }

    /// Ends the sequence once what waits has been read.
    public func finish() {
        let waiting = state.withLock { state in
            state.isFinished = true
            return state.takeWaiting()
        }
        for reader in waiting { reader.resume() }
    }

    /// Takes everything that waits: empty when nothing does, nil when the stream has ended.
    public func takeAll() -> [Element]? {
        state.withLock { state in
            if state.count == 0 { return state.isFinished ? nil : [] }
            var taken: [Element] = []
            taken.reserveCapacity(state.count)
            while let element = state.removeFirst() { taken.append(element) }
            // A burst's storage is given back.
            if state.ring.count > 8 { state.ring = [] }
            state.head = 0
            return taken
        }
    }

    /// Takes the oldest element that waits; nil inside when nothing does, nil when the stream has ended.
    private func takeFirst() -> Element?? {
        state.withLock { state in
            if let element = state.removeFirst() { return .some(element) }
            return state.isFinished ? nil : .some(nil)
        }
    }

    /// Waits until something can be taken or the stream or the task ends.
    fileprivate func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = state.withLock { state in
                    if state.count > 0 || state.isFinished || Task.isCancelled { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if now { continuation.resume() }
            }
        } onCancel: {
            // Every reader looks again; the one that was cancelled ends.
            for reader in state.withLock({ $0.takeWaiting() }) { reader.resume() }
        }
    }

    /// Reads the elements in order; ends with ``finish()`` or when the reading task is cancelled.
    ///
    /// It holds nothing itself: who leaves a loop and begins another goes on with the next element.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: BoundedStream

        /// The next element, or nil at the end.
        public mutating func next() async -> Element? {
            while !Task.isCancelled, let taken = stream.takeFirst() {
                if let element = taken { return element }
                await stream.wait()
            }
            return nil
        }
    }

    /// An iterator; elements are shared out between several.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}
