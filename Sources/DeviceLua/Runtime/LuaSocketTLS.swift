import DeviceCore
import DeviceTransport
import Glibc

/// TLS of a socket. Every attempt at an operation moves what the connection and OpenSSL have for each other.
extension LuaSocket {
    /// The error of a connection that cannot go on: nil and a reason.
    private func failed(_ error: DeviceError) -> [LuaValue] { [.nil, .string(error.message)] }

    /// Sends what OpenSSL wants to be sent. False when the connection is broken; what finds no room stays.
    private func flush(_ tls: TLSStream) -> Bool {
        while tls.hasOutput {
            let sent = tls.withOutput {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if sent < 0, errno == EINTR { continue }
            guard sent > 0 else { return errno == EAGAIN }
            tls.sent(sent)
        }
        return true
    }

    /// Hands on what has come. False when nothing came now.
    private func fill(_ tls: TLSStream) -> Bool {
        var buffer = [UInt8](repeating: 0, count: Self.maximumRead)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return false }
            if count > 0 { tls.received(buffer.prefix(count)) } else { tls.receivedEnd() }
            return true
        }
    }

    /// Goes on with the handshake: the results when it has ended, nil while it has not.
    func shakeHands(_ tls: TLSStream, success: [LuaValue]) -> [LuaValue]? {
        while true {
            // An alert that says why goes out before the error is told.
            let isUp = flush(tls)
            switch tls.state {
            case .open: return success
            case .closed: return [.nil, .string("sysshutdown")]
            case .failed(let error): return failed(error)
            case .handshaking: break
            }
            guard isUp else { return [.nil, .string("sysshutdown")] }
            guard fill(tls) else { return nil }
        }
    }

    /// What arrived, nil when nothing did yet.
    func receive(_ tls: TLSStream) -> [LuaValue]? {
        if case .handshaking = tls.state {
            guard let results = shakeHands(tls, success: []) else { return nil }
            if !results.isEmpty { return results }
        }
        while true {
            let bytes = tls.take(Self.maximumRead)
            if !bytes.isEmpty { return [.bytes(bytes)] }
            switch tls.state {
            case .closed: return [.nil, .string("sysshutdown")]
            case .failed(let error):
                _ = flush(tls)
                return failed(error)
            case .open, .handshaking: break
            }
            let hasCome = fill(tls)
            _ = flush(tls)
            guard hasCome else { return nil }
        }
    }

    /// Sends all of something; `isBegun` says whether it was encrypted before.
    func send(_ bytes: [UInt8], _ tls: TLSStream, isBegun: inout Bool) -> [LuaValue]? {
        if case .handshaking = tls.state {
            guard let results = shakeHands(tls, success: []) else { return nil }
            if !results.isEmpty { return results }
        }
        switch tls.state {
        case .closed: return [.nil, .string("sysshutdown")]
        case .failed(let error): return failed(error)
        case .open, .handshaking: break
        }
        if !isBegun { tls.write(bytes) }
        isBegun = true
        guard flush(tls) else { return [.nil, .string("sysshutdown")] }
        return tls.hasOutput ? nil : [.boolean(true)]
    }

    /// Says goodbye, as far as there is room for it now.
    func endTLS() {
        guard let tls else { return }
        tls.shutDown()
        _ = flush(tls)
        self.tls = nil
    }

    /// Gives a connection up that no script has got yet.
    func abandon(_ context: LuaContext) {
        guard descriptor >= 0 else { return }
        endTLS()
        context.unwatch(descriptor)
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Resumes a script that waits once the connection is secure, with the socket; gives it up and tells why where it
    /// does not get so. The object is made at the end: one that is not handed over at once would be collected.
    func secure(
        _ tls: TLSStream, _ token: UInt64, until deadline: MonotonicTime, _ context: LuaContext,
        ended: @escaping () -> Void
    ) {
        self.tls = tls
        // It holds this socket meanwhile.
        let timer = context.schedule(at: deadline) { context in
            ended()
            self.finish(true, [.nil, .string("timeout")], context)
            self.abandon(context)
        }
        begin(
            Pending(token: token, deadline: timer) { socket in
                guard let results = socket.shakeHands(tls, success: []) else { return nil }
                ended()
                guard results.isEmpty else {
                    socket.abandon(context)
                    return results
                }
                do { return [.object(try context.adopt(socket: socket, for: token))] } catch {
                    return [.nil, .string("\(error)")]
                }
            }, context)
    }

    /// `sock:trusted([name])`
    static func trusted(_ call: LuaCall) throws -> LuaOutcome {
        let socket: LuaSocket = try call.resource(0)
        guard let tls = socket.tls, case .open = tls.state else {
            return .values([.boolean(false), .string("no TLS")])
        }
        guard let name = call.isNil(1) ? socket.host : try call.string(1) else {
            return .values([.boolean(false), .string("no name to compare with")])
        }
        return tls.peerFits(name)
            ? .success : .values([.boolean(false), .string("the certificate is not for \(name)")])
    }

    /// `sock:upgrade(shark)`
    static func upgrade(_ call: LuaCall) throws -> LuaOutcome {
        let socket: LuaSocket = try call.resource(0)
        let shark: LuaShark = try call.resource(1)
        guard socket.kind == .stream, socket.tls == nil else { throw LuaError("TLS is for TCP, and once") }
        guard !socket.isWaiting else { throw LuaError("another coroutine reads or writes this socket") }
        do {
            let context = try shark.context()
            if shark.isServer {
                socket.tls = try context.accept(from: socket.host ?? "client")
            } else {
                guard let host = socket.host else {
                    throw LuaError(
                        "a socket that was accepted takes a server's shark: ba.create.sharkssl(nil, {server=true})")
                }
                socket.tls = try context.connect(to: host, port: 0)
            }
        } catch let error as DeviceError {
            return .failure(error.message)
        }
        return try socket.perform(call, forReading: true, timeout: 10_000) { socket in
            socket.tls.map { socket.shakeHands($0, success: [.boolean(true)]) } ?? [.nil, .string("closed")]
        }
    }
}
