import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc

/// The methods of sockets.
enum LuaSocketMethods {
    static let all: [String: LuaBody] = [
        "read": { call in
            let socket: LuaSocket = try call.resource(0)
            let timeout = call.isNil(1) ? nil : try call.integer(1, in: 0...1 << 31, "the time")
            return try socket.perform(call, forReading: true, timeout: timeout) { $0.receive() }
        },
        "write": { call in
            let socket: LuaSocket = try call.resource(0)
            let sender = Sender(try call.bytes(1))
            return try socket.perform(call, forReading: false, timeout: nil) { sender.send($0) }
        },
        "sendto": { call in
            let socket: LuaSocket = try call.resource(0)
            let bytes = try call.bytes(1)
            let host = try call.string(2)
            let port = try call.integer(3, in: 1...65535, "the port")
            guard let address = IPAddress(host) else { return .failure("not an address: \(host)") }
            try call.context.require(.hosts, host)
            return try socket.perform(call, forReading: false, timeout: nil) { socket in
                let sent = LuaAddress.with(address, port: port) { raw, length in
                    Int32(sendto(socket.descriptor, bytes, bytes.count, 0, raw, length))
                }
                if sent >= 0 { return [.boolean(true)] }
                return errno == EAGAIN ? nil : [.nil, .string(SystemError.text(errno))]
            }
        },
        "accept": { call in
            let socket: LuaSocket = try call.resource(0)
            guard socket.kind == .listener else { throw LuaError("the socket does not listen") }
            let context = call.context
            return try socket.perform(call, forReading: true, timeout: nil) { $0.accept(context) }
        },
        "event": { call in
            let socket: LuaSocket = try call.resource(0)
            let object = try call.object(0)
            let function = try call.function(1)
            start(function, object, try call.shared(from: 3), call.context)
            return .value(.object(object))
        },
        "enable": { call in
            let socket: LuaSocket = try call.resource(0)
            socket.enable(call.context)
            return .success
        },
        "disable": { call in
            let socket: LuaSocket = try call.resource(0)
            return try socket.disable(call)
        },
        "close": { call in
            try call.close()
            return .success
        },
        "sockname": { call in try name(call) { getsockname($0, $1, $2) } },
        "peername": { call in try name(call) { getpeername($0, $1, $2) } },
        "setoption": { call in
            let socket: LuaSocket = try call.resource(0)
            let on: Int32 = call.isNil(2) || call.isTrue(2) ? 1 : 0
            let good =
                switch try call.string(1) {
                case "nodelay": LuaAddress.set(socket.descriptor, IPPROTO_TCP, TCP_NODELAY, on)
                case "keepalive": LuaAddress.set(socket.descriptor, Int(SOL_SOCKET), SO_KEEPALIVE, on)
                default: false
                }
            return good ? .success : .failure("no such option")
        },
        "state": { call in
            guard let socket: LuaSocket = try? call.resource(0) else { return .value(.string("closed")) }
            return .value(.string(socket.isConnected ? "connected" : "notconnected"))
        },
        "trusted": { call in try LuaSocket.trusted(call) },
        "upgrade": { call in try LuaSocket.upgrade(call) },
    ]

    /// Runs `function(socket, ...)`; the socket is closed when it returns.
    static func start(_ function: LuaFunction, _ object: LuaObject, _ arguments: [LuaValue], _ context: LuaContext) {
        // The script need not hold a socket that serves itself. Without memory for that it can be collected, no more.
        try? context.anchor(object, true)
        context.start(
            .function(function), [.object(object)] + arguments, activity: "cosocket", of: object
        ) { context, _ in
            try? context.anchor(object, false)
            context.close(object)
        }
    }

    private static func name(
        _ call: LuaCall,
        _ get: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) throws -> LuaOutcome {
        let socket: LuaSocket = try call.resource(0)
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { get(socket.descriptor, $0, &length) }
        }
        guard result == 0, let endpoint = LuaAddress.endpoint(address) else {
            return .failure(SystemError.text(errno))
        }
        return .values([
            .string(endpoint.address.description), .integer(endpoint.port), .boolean(!endpoint.address.isIPv4),
        ])
    }

    /// Sends all of something, as far as the socket takes it each time.
    private final class Sender {
        private let bytes: [UInt8]
        private var sent = 0
        private var isEncrypted = false

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        func send(_ socket: LuaSocket) -> [LuaValue]? {
            if let tls = socket.tls { return socket.send(bytes, tls, isBegun: &isEncrypted) }
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in
                    Glibc.send(
                        socket.descriptor, buffer.baseAddress.map { $0 + sent }, buffer.count - sent,
                        Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN { return nil }
                    return [.nil, .string(errno == EPIPE ? "sysshutdown" : SystemError.text(errno))]
                }
                if socket.kind == .datagram { break }
                sent += count
            }
            return [.boolean(true)]
        }
    }
}

extension LuaSocket {
    static let library = LuaLibrary(
        "socket",
        members: [
            "connect": .function { call in
                let host = try call.string(0)
                let port = try call.integer(1, in: 1...65535, "the port")
                let options = call.isTable(2) ? try call.table(2) : LuaTable()
                try call.context.require(.hosts, host)
                let timeout = min(max(1, options["timeout"].wholeNumber ?? 10_000), 1 << 31)
                var tls: TLSStreamContext?
                if let shark = try LuaShark.found(options["shark"], call.context, isServer: false) {
                    do throws(DeviceError) { tls = try shark.context() } catch { return .failure(error.message) }
                }
                let target = Target(host: host, port: port, timeout: timeout, tls: tls)
                return try resolved(call, host) { context, address, attempt in
                    try connect(address, target, context, attempt)
                }
            },
            "udpcon": .function { call in
                if call.isString(0) {
                    let host = try call.string(0)
                    let port = try call.integer(1, in: 1...65535, "the port")
                    try call.context.require(.hosts, host)
                    return try resolved(call, host) { context, address, attempt in
                        let descriptor = try LuaAddress.socket(for: address, stream: false)
                        let result = LuaAddress.with(address, port: port) { Glibc.connect(descriptor, $0, $1) }
                        guard result == 0 else {
                            Glibc.close(descriptor)
                            throw LuaError(SystemError.text(errno))
                        }
                        let token = attempt.waiter.token
                        context.resume(
                            token, [.object(try context.adopt(socket: LuaSocket(descriptor, .datagram), for: token))])
                    }
                }
                let port = call.isNil(0) ? 0 : try call.integer(0, in: 0...65535, "the port")
                return try bound(call, port: port, options: call.isTable(1) ? try call.table(1) : LuaTable(), .datagram)
            },
            "bind": .function { call in
                let port = try call.integer(0, in: 0...65535, "the port")
                return try bound(call, port: port, options: call.isTable(1) ? try call.table(1) : LuaTable(), .listener)
            },
            "event": .function { call in
                let function = try call.function(0)
                let object = try call.context.add(socket: LuaSocket(-1, .none, isConnected: false))
                LuaSocketMethods.start(function, object, try call.shared(from: 1), call.context)
                return .value(.object(object))
            },
            "toip": .function { call in
                let host = try call.string(0)
                try call.context.require(.hosts, host)
                return try resolved(call, host) { context, address, attempt in
                    context.resume(attempt.waiter.token, [.string(address.description)])
                }
            },
            "h2n": .builtIn(.hostToNetwork),
            "n2h": .builtIn(.networkToHost),
            "getsock": .function { _ in .value(.nil) },
            "req2sock": .function { _ in .failure("there is no web server for scripts") },
            "http2sock": .function { _ in .failure("there is no HTTP client for scripts") },
        ])

    /// A connection that a script waits for. @unchecked Sendable because only the app's thread looks inside.
    private final class Attempt: @unchecked Sendable {
        let waiter: LuaWaiter
        var giveUp: () -> Void = {}
        init(_ waiter: LuaWaiter) { self.waiter = waiter }
    }

    /// Suspends the script, looks the name up, and goes on with its first address.
    private static func resolved(
        _ call: LuaCall, _ host: String, _ next: @escaping @Sendable (LuaContext, IPAddress, Attempt) throws -> Void
    ) throws -> LuaOutcome {
        try call.wait { waiter in
            let attempt = Attempt(waiter)
            let task = Task {
                do {
                    let resolution = try await NameResolver.shared.resolve(ResolverTarget(host, port: 0))
                    guard let address = resolution.endpoints.first?.endpoint.address else {
                        return waiter.resume([.nil, .string("cannotresolve")])
                    }
                    waiter.mailbox.reply { context in
                        guard context.waits[waiter.token] != nil else { return }
                        do { try next(context, address, attempt) } catch {
                            context.resume(waiter.token, [.nil, .string("\(error)")])
                        }
                    }
                } catch {
                    waiter.resume([.nil, .string("cannotresolve"), .string("\(error)")])
                }
            }
            return {
                task.cancel()
                attempt.giveUp()
            }
        }
    }

    /// Where a script wants to be connected to.
    private struct Target: Sendable {
        let host: String
        let port: Int
        /// In milliseconds.
        let timeout: Int64
        let tls: TLSStreamContext?
    }

    private static func connect(
        _ address: IPAddress, _ target: Target, _ context: LuaContext, _ attempt: Attempt
    ) throws {
        let token = attempt.waiter.token
        let end = context.now + .milliseconds(target.timeout)
        let descriptor = try LuaAddress.socket(for: address, stream: true)
        let result = LuaAddress.with(address, port: target.port) { Glibc.connect(descriptor, $0, $1) }
        if result == 0 { return try connected(descriptor, target, end, context, attempt) }
        guard errno == EINPROGRESS else {
            Glibc.close(descriptor)
            throw LuaError(SystemError.text(errno))
        }
        // The object is made when the connection stands; until then the attempt owns the descriptor.
        let deadline = context.schedule(at: end) { context in
            attempt.giveUp()
            context.resume(token, [.nil, .string("timeout")])
        }
        attempt.giveUp = {
            context.unwatch(descriptor)
            context.unschedule(deadline)
            Glibc.close(descriptor)
            attempt.giveUp = {}
        }
        context.watch(descriptor, forReading: false, forWriting: true) { context in
            var error: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
            guard error == 0 else {
                attempt.giveUp()
                return context.resume(token, [.nil, .string(SystemError.text(error))])
            }
            context.unwatch(descriptor)
            context.unschedule(deadline)
            attempt.giveUp = {}
            do { try connected(descriptor, target, end, context, attempt) } catch {
                context.resume(token, [.nil, .string("\(error)")])
            }
        }
    }

    /// The connection stands: the script gets it, once it is secure where it shall be.
    private static func connected(
        _ descriptor: Int32, _ target: Target, _ end: MonotonicTime, _ context: LuaContext, _ attempt: Attempt
    ) throws {
        let token = attempt.waiter.token
        let socket = LuaSocket(descriptor, .stream)
        socket.host = target.host
        guard let tls = target.tls else {
            return context.resume(token, [.object(try context.adopt(socket: socket, for: token))])
        }
        do {
            let stream = try tls.connect(to: target.host, port: target.port)
            attempt.giveUp = { socket.abandon(context) }
            socket.secure(stream, token, until: end, context) { attempt.giveUp = {} }
        } catch {
            socket.abandon(context)
            throw error
        }
    }

    private static func bound(_ call: LuaCall, port: Int, options: LuaTable, _ kind: Kind) throws -> LuaOutcome {
        let everywhere = options["ipv6"].isTrue ? "::" : "0.0.0.0"
        let grants = call.context.app.configuration.permissions[.listen]
        // Without a wish: what is granted, loopback if in doubt.
        let text = options["intf"].text ?? (grants.allows(everywhere) ? everywhere : "127.0.0.1")
        try call.context.require(.listen, text)
        var acceptor: TLSStreamContext?
        if kind == .listener, let shark = try LuaShark.found(options["shark"], call.context, isServer: true) {
            do throws(DeviceError) { acceptor = try shark.context() } catch { return .failure(error.message) }
        }
        guard let address = IPAddress(text) else { return .failure("not an address: \(text)") }
        let descriptor = try LuaAddress.socket(for: address, stream: kind == .listener)
        LuaAddress.set(descriptor, Int(SOL_SOCKET), SO_REUSEADDR, 1)
        var result = LuaAddress.with(address, port: port) { Glibc.bind(descriptor, $0, $1) }
        if result == 0, kind == .listener { result = listen(descriptor, 16) }
        guard result == 0 else {
            let reason = SystemError.text(errno)
            Glibc.close(descriptor)
            return .failure(reason)
        }
        let socket = LuaSocket(descriptor, kind, isConnected: false)
        socket.acceptor = acceptor
        return .value(.object(try call.context.adopt(socket: socket)))
    }
}

extension LuaContext {
    /// The same as `add(socket:)`, and closes the descriptor where that fails.
    ///
    /// - Parameter token: of the script that waits for it, to whose file it belongs; nil for the one that runs.
    func adopt(socket: LuaSocket, for token: UInt64? = nil) throws -> LuaObject {
        do { return try add(socket: socket, owner: token.flatMap { waits[$0]?.activation.owner }) } catch {
            Glibc.close(socket.descriptor)
            throw error
        }
    }
}
