import Glibc

/// A thread for calls that block, which no thread of Swift's pool may ever do.
package struct SystemThread: Sendable {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    private let thread: pthread_t

    /// Starts a thread that somebody waits for with ``join()``, once.
    /// - Parameter purpose: what it is for, in the error's words.
    package static func start(for purpose: String, _ run: @escaping @Sendable () -> Void) throws(DeviceError)
        -> SystemThread
    {
        SystemThread(thread: try create(purpose, detached: false, stack: nil, run))
    }

    /// Starts a thread that ends for itself.
    /// - Parameters:
    ///   - purpose: what it is for, in the error's words.
    ///   - stack: bytes; the system's default is usually 8 MB of addresses.
    package static func detach(
        for purpose: String, stack: Int? = nil, _ run: @escaping @Sendable () -> Void
    ) throws(DeviceError) {
        _ = try create(purpose, detached: true, stack: stack, run)
    }

    /// As ``detach(for:stack:_:)``, for whoever goes on without: false when the system has no thread to give.
    package static func tryDetach(stack: Int? = nil, _ run: @escaping @Sendable () -> Void) -> Bool {
        do throws(DeviceError) {
            try detach(for: "blocking calls", stack: stack, run)
            return true
        } catch {
            return false
        }
    }

    /// Waits until the thread has ended.
    package func join() { pthread_join(thread, nil) }

    private static func create(
        _ purpose: String, detached: Bool, stack: Int?, _ run: @escaping @Sendable () -> Void
    ) throws(DeviceError) -> pthread_t {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if detached { pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED)) }
        if let stack { pthread_attr_setstacksize(&attributes, stack) }
        let body = Unmanaged.passRetained(Body(run))
        var thread = pthread_t()
        let error = pthread_create(
            &thread, &attributes,
            { body in
                if let body { Unmanaged<Body>.fromOpaque(body).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        guard error == 0 else {
            body.release()
            throw DeviceError(.io, "cannot start a thread for \(purpose): \(SystemError.text(error))")
        }
        return thread
    }
}
