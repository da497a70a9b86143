import DeviceCore
import DeviceProtocols
import NIOCore
import NIOPosix

/// Keeps a gateway's duty cycle on disk, so that a restart of the program does not begin a new hour. Lives on the
/// gateway's event loop; the disk is written to elsewhere.
final class DutyCycleKeeper {
    private let path: String
    private let eventLoop: any EventLoop
    private unowned let desk: DownlinkDesk
    private let warn: (String) -> Void
    private var timer: Scheduled<Void>?
    private var isChanged = false
    private var isWriting = false
    /// Told when what is written now, and what has changed meanwhile, is on disk.
    private var waiting: [EventLoopPromise<Void>] = []
    /// Between two writings: SD cards die of them. So much is forgotten by `kill -9`.
    private static let interval = TimeAmount.seconds(10)

    init(
        directory: String, desk: DownlinkDesk, eventLoop: any EventLoop, warn: @escaping (String) -> Void
    ) {
        path = "\(directory)/duty-cycle.json"
        self.desk = desk
        self.eventLoop = eventLoop
        self.warn = warn
    }

    /// Counts what an earlier run has sent in the last hour; a file that cannot be used is told of and left out.
    func load() {
        guard let region = desk.queue.settings.region else { return }
        do throws(DeviceError) {
            let bytes: [UInt8]
            do throws(DeviceError) { bytes = try SystemFile.read(path, limit: DutyCycleFile.sizeLimit + 1) } catch {
                // The first start of all has none.
                if error.code == .notFound { return }
                throw error
            }
            desk.restore(try DutyCycleFile.decode(bytes, region: region.name, now: .now))
        } catch {
            warn("\(path) is not used: \(error.message). What was sent before this start is not counted")
        }
    }

    /// Something was sent, is planned, or will not be sent after all.
    func changed() {
        isChanged = true
        guard timer == nil else { return }
        timer = eventLoop.assumeIsolated().scheduleTask(in: Self.interval) { [weak self] in
            self?.timer = nil
            self?.write()
        }
    }

    /// Writes what has changed; done when it is on disk, or could not be written, which is told of.
    func save() -> EventLoopFuture<Void> {
        timer?.cancel()
        timer = nil
        write()
        guard isWriting else { return eventLoop.makeSucceededVoidFuture() }
        let promise = eventLoop.makePromise(of: Void.self)
        waiting.append(promise)
        return promise.futureResult
    }

    private func write() {
        guard isChanged, !isWriting, let region = desk.queue.settings.region else { return }
        isChanged = false
        isWriting = true
        let text = DutyCycleFile.encode(desk.dutyRecords, region: region.name, at: .now)
        NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { [path] in try AtomicFile.write(text, to: path) }
            .assumeIsolated().whenComplete { result in
                self.isWriting = false
                if case .failure(let error) = result {
                    self.warn("the duty cycle is not kept: \((error as? DeviceError)?.message ?? "\(error)")")
                }
                self.write()
                guard !self.isWriting else { return }
                for promise in self.waiting { promise.succeed() }
                self.waiting = []
            }
    }
}
