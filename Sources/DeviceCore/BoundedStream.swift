/// A bounded queue from many senders to one reader, read with `for await`.
///
/// When it is full the oldest elements make room and are counted in ``dropped``: who reads events late wants the
/// newest. Senders never wait. A whole batch enters under one lock and wakes the reader once.
public final class BoundedStream<Element: Sendable>: AsyncSequence, Sendable {
    private struct State {
        var elements: [Element] = []
        /// Elements before this index have been given to the reader.
        var head = 0
        var waiting: [CheckedContinuation<Void, Never>] = []

        mutating func takeWaiting() -> [CheckedContinuation<Void, Never>] {
            defer { waiting = [] }
            return waiting
        }
        var isFinished = false
        var dropped: UInt64 = 0
    }

    private let state = Locked(State())
    /// The largest number of elements that wait.
    public let limit: Int

    /// An empty queue.
    public init(limit: Int) { self.limit = Swift.max(1, limit) }

    /// Elements that made room for newer ones because nobody read them in time.
    public var dropped: UInt64 { state.withLock { $0.dropped } }
    /// Elements that wait now.
    public var count: Int { state.withLock { $0.elements.count - $0.head } }

    /// Adds one element.
    public func send(_ element: Element) { send(contentsOf: CollectionOfOne(element)) }

    /// Adds a batch in order. After ``finish()`` it does nothing.
    public func send(contentsOf batch: some Collection<Element>) {
        guard !batch.isEmpty else { return }
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard !state.isFinished else { return [] }
            state.elements.append(contentsOf: batch)
            let excess = state.elements.count - state.head - limit
            if excess > 0 {
                state.head += excess
                state.dropped += UInt64(excess)
            }
            // Given and dropped elements leave in one go, so that each costs a constant time.
            if state.head > 64, state.head > state.elements.count / 2 {
                state.elements.removeFirst(state.head)
                state.head = 0
            }
            return state.takeWaiting()
        }
        for reader in waiting { reader.resume() }
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
            if state.elements.count == state.head { return state.isFinished ? nil : [] }
            let taken = state.head == 0 ? state.elements : Array(state.elements[state.head...])
            state.elements = []
            state.head = 0
            return taken
        }
    }

    /// Waits until something can be taken or the stream or the task ends.
    fileprivate func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now = state.withLock { state in
                    if state.elements.count > state.head || state.isFinished || Task.isCancelled { return true }
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

    /// The next element, nil when nothing waits, and whether the stream has ended.
    fileprivate func takeNext() -> (element: Element?, isEnd: Bool) {
        state.withLock { state in
            guard state.elements.count > state.head else { return (nil, state.isFinished) }
            defer {
                state.head += 1
                if state.head == state.elements.count {
                    state.elements.removeAll(keepingCapacity: state.elements.capacity <= 64)
                    state.head = 0
                }
            }
            return (state.elements[state.head], false)
        }
    }

    /// Reads the elements in order; ends with ``finish()`` or when the reading task is cancelled.
    ///
    /// It holds nothing back: what a reader that stops has not taken, the next reader gets.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: BoundedStream

        /// The next element, or nil at the end.
        public mutating func next() async -> Element? {
            while !Task.isCancelled {
                let (element, isEnd) = stream.takeNext()
                if element != nil || isEnd { return element }
                await stream.wait()
            }
            return nil
        }
    }

    /// An iterator; elements are shared out between several.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}
