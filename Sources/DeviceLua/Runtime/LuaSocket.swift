import CLuaShim
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc

/// `ba.socket`: TCP and UDP. Every operation that takes time suspends the script that calls it, in a thread as in a
/// cosocket; the app goes on.
final class LuaSocket: LuaResource {
    static let luaClass = LuaClass("socket", methods: LuaSocketMethods.all)

    enum Kind {
        case stream
        case listener
        case datagram
        /// `ba.socket.event(f)`: a coroutine with the manners of a socket.
        case none
    }

    static let maximumRead = 16 << 10

    /// An operation that waits until the descriptor is ready: its results, or nil when it is not ready yet.
    struct Pending {
        let token: UInt64
        let deadline: UInt64?
        let attempt: (LuaSocket) -> [LuaValue]?
    }

    let kind: Kind
    var descriptor: Int32
    var object = LuaObject(handle: 0)
    var isConnected: Bool
    /// Of a connection that is secure, or becomes so.
    var tls: TLSStream?
    /// Of a listener whose connections are secure.
    var acceptor: TLSStreamContext?
    /// Whom the script wanted to reach.
    var host: String?
    private var reading: Pending?
    private var writing: Pending?
    /// `sock:disable()`: who waits for `sock:enable()`.
    private var disabled: UInt64?
    private var isEnabledAhead = false

    init(_ descriptor: Int32, _ kind: Kind, isConnected: Bool = true) {
        self.descriptor = descriptor
        self.kind = kind
        self.isConnected = isConnected
    }

    func close(in context: LuaContext) {
        if descriptor >= 0 {
            endTLS()
            context.unwatch(descriptor)
            Glibc.close(descriptor)
            descriptor = -1
        }
        for pending in [reading, writing] {
            guard let pending else { continue }
            if let deadline = pending.deadline { context.unschedule(deadline) }
            // Not at once: this may be called in the middle of a script.
            let token = pending.token
            context.schedule(at: context.now) { $0.resume(token, [.nil, .string("closed")]) }
        }
        reading = nil
        writing = nil
        if let token = disabled { context.schedule(at: context.now) { $0.resume(token, []) } }
        disabled = nil
    }

    // MARK: Waiting

    /// Tries an operation, and suspends the script until it can be done.
    func perform(
        _ call: LuaCall, forReading: Bool, timeout: Int?, timedOut: [LuaValue] = [.nil, .string("timeout")],
        _ attempt: @escaping (LuaSocket) -> [LuaValue]?
    ) throws -> LuaOutcome {
        guard descriptor >= 0 else { throw LuaError("CLOSED") }
        guard (forReading ? reading : writing) == nil else {
            throw LuaError("another coroutine \(forReading ? "reads" : "writes") this socket already")
        }
        if let results = attempt(self) { return .values(results) }
        let context = call.context
        return try call.wait { waiter in
            let deadline = timeout.map { timeout in
                context.schedule(at: context.now + .milliseconds(timeout)) { [weak self] context in
                    self?.finish(forReading, timedOut, context)
                }
            }
            let pending = Pending(token: waiter.token, deadline: deadline, attempt: attempt)
            if forReading { reading = pending } else { writing = pending }
            follow(context)
            return { [weak self] in
                if forReading { self?.reading = nil } else { self?.writing = nil }
                self?.follow(context)
                if let deadline { context.unschedule(deadline) }
            }
        }
    }

    /// Whether a script waits for this socket.
    var isWaiting: Bool { reading != nil || writing != nil }

    /// Makes an operation of somebody who waits already.
    func begin(_ pending: Pending, _ context: LuaContext) {
        reading = pending
        ready(context)
    }

    private func follow(_ context: LuaContext) {
        guard descriptor >= 0 else { return }
        guard isWaiting else { return context.unwatch(descriptor) }
        var (reads, writes) = (reading != nil, writing != nil)
        if let tls {
            // Within TLS the one may have to wait for the other.
            writes = tls.hasOutput
            if case .handshaking = tls.state { reads = true }
        }
        context.watch(descriptor, forReading: reads, forWriting: writes) { [weak self] context in
            self?.ready(context)
        }
    }

    private func ready(_ context: LuaContext) {
        if let pending = reading, let results = pending.attempt(self) { finish(true, results, context) }
        if let pending = writing, let results = pending.attempt(self) { finish(false, results, context) }
        if tls != nil { follow(context) }
    }

    func finish(_ isReading: Bool, _ results: [LuaValue], _ context: LuaContext) {
        guard let pending = isReading ? reading : writing else { return }
        if isReading { reading = nil } else { writing = nil }
        if let deadline = pending.deadline { context.unschedule(deadline) }
        follow(context)
        context.resume(pending.token, results)
    }

    // MARK: Enable, disable

    func disable(_ call: LuaCall) throws -> LuaOutcome {
        if isEnabledAhead {
            isEnabledAhead = false
            return .success
        }
        guard disabled == nil else { throw LuaError("the cosocket is disabled already") }
        return try call.wait { waiter in
            disabled = waiter.token
            return { [weak self] in self?.disabled = nil }
        }
    }

    func enable(_ context: LuaContext) {
        guard let token = disabled else {
            isEnabledAhead = true
            return
        }
        disabled = nil
        context.schedule(at: context.now) { $0.resume(token, [.boolean(true)]) }
    }

    // MARK: System calls

    /// What arrived, nil when nothing did yet.
    func receive() -> [LuaValue]? {
        if let tls { return receive(tls) }
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var buffer = [UInt8](repeating: 0, count: kind == .datagram ? 65536 : Self.maximumRead)
        let count = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT), $0, &length)
            }
        }
        if count < 0 {
            if errno == EAGAIN || errno == EINTR { return nil }
            return [.nil, .string(errno == ECONNRESET ? "sysshutdown" : SystemError.text(errno))]
        }
        if kind == .stream, count == 0 { return [.nil, .string("sysshutdown")] }
        let data = LuaValue.bytes(Array(buffer.prefix(count)))
        guard kind == .datagram else { return [data] }
        let from = LuaAddress.endpoint(address)
        return [data, .string(from?.address.description ?? ""), .integer(from?.port ?? 0)]
    }

    /// Accepts a connection, nil when there is none yet.
    func accept(_ context: LuaContext) -> [LuaValue]? {
        let accepted = Glibc.accept(descriptor, nil, nil)
        guard accepted >= 0 else {
            return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED
                ? nil : [.nil, .string(SystemError.text(errno))]
        }
        do {
            try LuaAddress.prepare(accepted)
            let socket = LuaSocket(accepted, .stream)
            // The handshake is made by its first read or write.
            socket.tls = try acceptor?.accept(from: "a client")
            return [.object(try context.add(socket: socket, owner: context.objects[object.handle]?.owner))]
        } catch {
            Glibc.close(accepted)
            return [.nil, .string("\(error)")]
        }
    }
}

extension LuaContext {
    /// Makes a socket's object, within the limit of sockets.
    ///
    /// - Parameter file: the file that it belongs to, where none runs now.
    func add(socket: LuaSocket, owner file: Int? = nil) throws -> LuaObject {
        let outer = owner
        owner = file ?? outer
        defer { owner = outer }
        let limit = app.configuration.limits.sockets
        let open = objects.values.count { $0.resource is LuaSocket }
        guard open < limit else { throw LuaError("too many sockets (at most \(limit))") }
        socket.object = try add(socket)
        return socket.object
    }
}
