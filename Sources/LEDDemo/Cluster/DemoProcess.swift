import CDeviceShim
import DeviceCore
import Glibc
import NIOCore

/// A program that this one has started. It ends with this process, however that ends.
final class DemoProcess: Sendable {
    struct Program: Sendable {
        var path: String
        var arguments: [String]
        var environment: [String: String]
        /// Its standard input, output and error, and any further files; -1 stands for /dev/null.
        var files: [Int32] = [-1, -1, -1]
        /// Whether a terminal's Ctrl-C passes it by.
        var hasOwnGroup = false
        /// What it gets when this process ends without a word.
        var deathSignal = SIGKILL
    }

    let id: Int32
    /// Whether the id may be another process's by now.
    private let isCollected = Locked(false)

    private init(id: Int32) { self.id = id }

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - eventLoop: its thread starts the program. The kernel ties the child to that thread, which lasts as long as
    ///     the process; those of tasks come and go.
    ///   - ended: gets the exit status, or minus the signal that ended it, once.
    /// - Throws: ``DeviceError``: `notFound`, `permission`, `io`.
    static func start(
        _ program: Program, on eventLoop: any EventLoop, ended: @escaping @Sendable (Int32) -> Void
    ) async throws(DeviceError) -> DemoProcess {
        let result: Result<DemoProcess, DeviceError>
        do {
            result = try await eventLoop.submit { Result { () throws(DeviceError) in try spawn(program) } }.get()
        } catch {
            throw DeviceError(.closed, "\(program.path) was not started", cause: error)
        }
        let child = try result.get()
        let isWatched = SystemThread.tryDetach {
            _ = cdev_await_exit(child.id)
            // Under the lock, so that no signal goes to who gets the id next.
            let status = child.isCollected.withLock { isCollected in
                isCollected = true
                return cdev_collect(child.id)
            }
            ended(status)
        }
        guard isWatched else {
            child.signal(SIGKILL)
            throw DeviceError(.unavailable, "the system has no thread to give for \(program.path)")
        }
        return child
    }

    /// Whether it has ended, and told so.
    var hasEnded: Bool { isCollected.withLock { $0 } }

    /// Sends a signal; nothing to one that has ended.
    func signal(_ number: Int32) {
        isCollected.withLock { isCollected in if !isCollected { kill(id, number) } }
    }

    private static func spawn(_ program: Program) throws(DeviceError) -> DemoProcess {
        var arguments: [UnsafeMutablePointer<CChar>?] = ([program.path] + program.arguments).map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] =
            program.environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + environment { free(text) } }
        var id: Int32 = 0
        let error: Int32 = program.path.withCString { path in
            program.files.withUnsafeBufferPointer { files in
                arguments.withUnsafeMutableBufferPointer { arguments in
                    environment.withUnsafeMutableBufferPointer { environment in
                        var child = cdev_child(
                            path: path, arguments: arguments.baseAddress, environment: environment.baseAddress,
                            files: files.baseAddress, file_count: files.count,
                            own_group: program.hasOwnGroup ? 1 : 0, death_signal: program.deathSignal)
                        return cdev_spawn(&child, &id) == 0 ? 0 : errno
                    }
                }
            }
        }
        guard error == 0 else {
            let code: DeviceError.Code =
                switch error {
                case ENOENT, ENOTDIR: .notFound
                case EACCES, EPERM: .permission
                default: .io
                }
            throw DeviceError(code, "cannot start \(program.path): \(SystemError.text(error))")
        }
        return DemoProcess(id: id)
    }
}
