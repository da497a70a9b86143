import DeviceCore
import NIOPosix
import Outbox

/// The open logs of a client's outbox, by priority, with the numbers under which they send.
final class SMQOutbox: Sendable {
    /// By ``SMQPriority/index``.
    let logs: [OutboxLog]
    /// The source of each log's messages.
    let sources: [UInt64]
    let configuration: SMQOutboxConfiguration

    private init(_ configuration: SMQOutboxConfiguration, logs: [OutboxLog], sources: [UInt64]) {
        self.configuration = configuration
        self.logs = logs
        self.sources = sources
    }

    /// Opens the logs; what an earlier run left in them waits to be sent.
    static func open(_ configuration: SMQOutboxConfiguration) async throws(DeviceError) -> SMQOutbox {
        let directory = configuration.directory
        let epoch = try await onThread { () throws(DeviceError) in try BootEpoch.next(in: directory) }
        var logs: [OutboxLog] = []
        do throws(DeviceError) {
            for priority in SMQPriority.allCases {
                logs.append(
                    try await OutboxLog.open(
                        directory: "\(directory)/\(priority.rawValue)", epoch: epoch,
                        configuration: configuration[priority]))
            }
            // The logs' locks are held: nobody else draws at the same time.
            let sources = try await onThread { () throws(DeviceError) in
                var sources: [UInt64] = []
                for priority in SMQPriority.allCases {
                    sources.append(try LogSource.load(priority.rawValue, epoch: epoch, in: directory))
                }
                return sources
            }
            return SMQOutbox(configuration, logs: logs, sources: sources)
        } catch {
            for log in logs { try? await log.close() }
            throw error
        }
    }

    /// Makes everything durable and gives the directory free; throws the first error of a disk that did not take it.
    func close() async throws {
        var failure: (any Error)?
        for log in logs {
            do { try await log.close() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    /// Why a log's disk takes no records now.
    var failure: DeviceError? {
        for log in logs { if let failure = log.failure { return failure } }
        return nil
    }

    /// Milliseconds since 1970, by the clock of a log.
    func now(_ index: Int) -> Int64 { configuration[SMQPriority.allCases[index]].time() }  // safe: one of three

    /// No thread of Swift's pool waits for a disk.
    private static func onThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws(DeviceError) -> Value
    ) async throws(DeviceError) -> Value {
        let result: Result<Value, DeviceError>
        do {
            result = try await NIOThreadPool.singleton.runIfActive {
                do throws(DeviceError) { return .success(try body()) } catch { return .failure(error) }
            }
        } catch {
            throw DeviceError(.closed, "the program is ending", cause: error)
        }
        return try result.get()
    }
}
