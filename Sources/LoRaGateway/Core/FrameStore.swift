import DeviceCore
import DeviceProtocols
import NIOCore
import Outbox

/// The frames of one up-link that wait on disk for its server. Lives on the gateway's event loop.
final class FrameStore {
    struct Counters: Sendable, Hashable {
        var stored: UInt64 = 0
        var waiting: UInt64 = 0
        var bytes = 0
        var expired: UInt64 = 0
        /// Oldest frames that made room, and frames that a failed disk did not take.
        var dropped: UInt64 = 0
        var damaged: UInt64 = 0
    }

    private let directory: String
    private let settings: StoreSettings
    private let eventLoop: any EventLoop
    /// Told of what goes wrong; the store goes on trying.
    var failed: (DeviceError) -> Void = { _ in }
    /// Told when what an earlier run has left can be read.
    var opened: () -> Void = {}
    private var log: OutboxLog?
    /// Frames from before the log was open; the oldest make room.
    private var early: [ReceivedFrame] = []
    private static let earlyLimit = 2_000
    private var retry: Scheduled<Void>?
    /// Kept while the log is being opened.
    private var opening: EventLoopPromise<Void>?
    private var isClosed = false
    private var dropped: UInt64 = 0
    private var damaged: UInt64 = 0
    private var stored: UInt64 = 0
    /// Where to read on.
    private var cursor: UInt64 = 0

    init(directory: String, settings: StoreSettings, eventLoop: any EventLoop) {
        self.directory = directory
        self.settings = settings
        self.eventLoop = eventLoop
    }

    var counters: Counters {
        let log = log?.counters ?? OutboxCounters()
        return Counters(
            stored: stored, waiting: log.waiting + UInt64(early.count), bytes: log.bytes, expired: log.expired,
            dropped: dropped + log.dropped + log.rejected, damaged: damaged + log.lost)
    }

    /// Opens the log, and tries again every few seconds when that fails.
    func open() {
        var configuration = OutboxConfiguration()
        configuration.maximumBytes = settings.bytes
        configuration.whenFull = .dropOldest
        configuration.timeToLive = settings.age
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        opening = eventLoop.makePromise()
        Task { [directory, eventLoop, configuration] in
            let result: Result<OutboxLog, DeviceError>
            do throws(DeviceError) {
                let epoch = try BootEpoch.next(in: directory)
                result = .success(
                    try await OutboxLog.open(
                        directory: "\(directory)/frames", epoch: epoch, configuration: configuration))
            } catch {
                result = .failure(error)
            }
            eventLoop.execute { bound.value.finish(result) }
        }
    }

    private func finish(_ result: Result<OutboxLog, DeviceError>) {
        defer {
            opening?.succeed(())
            opening = nil
        }
        switch result {
        case .success(let log):
            self.log = log
            let frames = early
            early = []
            append(frames)
            if !isClosed { opened() }
        case .failure(let error):
            failed(error)
            guard !isClosed else { return }
            retry = eventLoop.assumeIsolated().scheduleTask(in: .seconds(5)) { [weak self] in self?.open() }
        }
    }

    /// Keeps frames, behind those that wait.
    func append(_ frames: [ReceivedFrame]) {
        guard let log else {
            early += frames
            if early.count > Self.earlyLimit {
                dropped += UInt64(early.count - Self.earlyLimit)
                early.removeFirst(early.count - Self.earlyLimit)
            }
            return
        }
        for frame in frames {
            do throws(DeviceError) {
                _ = try log.appendNow(StoredFrame.encode(frame))
                stored += 1
            } catch {
                // The log counts what it rejects.
                failed(error)
            }
        }
    }

    /// Begins again with the oldest frame that the server does not have.
    func rewind() { cursor = 0 }

    /// What a read has found.
    struct Batch {
        var frames: [ReceivedFrame] = []
        /// Nothing waits behind these.
        var isEnd: Bool
    }

    /// The next frames in order; nil when the disk cannot be read now, or the log is not open yet.
    func read(limit: Int, _ done: @escaping (Batch?) -> Void) {
        guard let log else { return done(nil) }
        let start = cursor
        let bound = NIOLoopBound((store: WeakStore(store: self), done: done), eventLoop: eventLoop)
        Task { [eventLoop] in
            let result: Result<[OutboxEntry], DeviceError>
            do throws(DeviceError) { result = .success(try await log.read(from: start, limit: limit)) } catch {
                result = .failure(error)
            }
            eventLoop.execute {
                let (store, done) = bound.value
                done(store.store?.batch(result))
            }
        }
    }

    private func batch(_ result: Result<[OutboxEntry], DeviceError>) -> Batch? {
        let entries: [OutboxEntry]
        switch result {
        case .success(let found): entries = found
        case .failure(let error):
            failed(error)
            return nil
        }
        let now = HostTime.now
        var batch = Batch(isEnd: entries.isEmpty)
        for entry in entries {
            cursor = max(cursor, entry.id.sequence + 1)
            records[entry.id.sequence] = entry.id
            if let frame = StoredFrame.decode(
                entry.payload, number: entry.id.sequence, now: now, lateAfter: .seconds(1))
            {
                batch.frames.append(frame)
            } else {
                damaged += 1
                acknowledge(entry.id.sequence)
            }
        }
        return batch
    }

    /// Those that were read and are not acknowledged: as many as the reader has under way.
    private var records: [UInt64: RecordID] = [:]

    /// The server has that frame.
    func acknowledge(_ number: UInt64) {
        guard let id = records.removeValue(forKey: number) else { return }
        log?.acknowledge(id)
    }

    /// Makes all of it durable, also what came before the log was open.
    func close() -> EventLoopFuture<Void> {
        isClosed = true
        retry?.cancel()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return (opening?.futureResult ?? eventLoop.makeSucceededVoidFuture()).flatMap { [eventLoop] in
            guard let log = bound.value.log else { return eventLoop.makeSucceededVoidFuture() }
            return eventLoop.makeFutureWithTask { try await log.close() }
        }
    }

    private struct WeakStore {
        weak var store: FrameStore?
    }
}
