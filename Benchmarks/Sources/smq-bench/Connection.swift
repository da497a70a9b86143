import Glibc

/// A raw SMQ session on a blocking socket, with as little between the caller and the kernel as possible.
///
/// Frames are read in place. What does not come within ten seconds is an error.
final class Connection {
    /// Message types that the measurements use; the numbers are the protocol's.
    enum Kind {
        static let initialize: UInt8 = 1
        static let connect: UInt8 = 2
        static let connack: UInt8 = 3
        static let subscribe: UInt8 = 4
        static let create: UInt8 = 6
        static let publish: UInt8 = 8
        static let disconnect: UInt8 = 11
        static let ping: UInt8 = 12
        static let pong: UInt8 = 13
    }

    /// A whole frame in the connection's buffer, valid until the next read.
    struct Frame {
        var bytes: UnsafeRawBufferPointer
        var kind: UInt8 { bytes[2] }
    }

    static let patience = 10

    let descriptor: CInt
    /// The id that the broker gave.
    private(set) var etid: UInt32 = 0
    private let memory: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    /// Connects, and opens the session.
    ///
    /// - Parameter capacity: of the receive buffer; the largest frame that can be read.
    init(_ target: Target, number: Int, capacity: Int = 4096) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw BenchError.system("a socket for connection \(number)") }
        memory = .allocate(byteCount: capacity, alignment: 16)
        var one: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        var time = timeval(tv_sec: Self.patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        try dial(target, number)
        try open(target, number)
    }

    deinit {
        close(descriptor)
        memory.deallocate()
    }

    /// Ends the connection in both directions, also for a thread that waits in it.
    func shutDown() { shutdown(descriptor, CInt(SHUT_RDWR)) }

    private func dial(_ target: Target, _ number: Int) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = target.port.bigEndian
        address.sin_addr.s_addr = target.address
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw BenchError.system("connection \(number) to \(target.host):\(target.port)") }
    }

    private func open(_ target: Target, _ number: Int) throws {
        // The form without a HTTP response: Init is the first thing on the wire.
        let request =
            "GET \(target.path) HTTP/1.0\r\nHost: \(target.host):\(target.port)\r\nSimpleMQ: 1\r\nUser-Agent: smq-bench\r\n\r\n"
        try send(Array(request.utf8))
        guard try receiveFrame().kind == Kind.initialize else {
            throw BenchError("\(target.name) does not begin with Init")
        }
        let uid = Array("bench-\(getpid())-\(number)".utf8)
        try send(Kind.connect, [1, UInt8(uid.count)] + uid + [0] + Array("smq-bench".utf8))
        let answer = try receiveFrame()
        guard answer.kind == Kind.connack, answer.bytes[3] == 0 else {
            throw BenchError("\(target.name) refused connection \(number)")
        }
        etid = answer.bytes.integer(at: 4)
    }

    /// Creates or subscribes to a topic.
    ///
    /// - Returns: its id.
    func topic(_ kind: UInt8, _ name: String) throws -> UInt32 {
        try send(kind, Array(name.utf8))
        while true {
            let frame = try receiveFrame()
            guard frame.kind == kind + 1 else { continue }
            guard frame.bytes[3] == 0 else { throw BenchError("the topic \(name) was denied") }
            return frame.bytes.integer(at: 4)
        }
    }

    // MARK: Sending

    func send(_ kind: UInt8, _ body: [UInt8]) throws {
        let length = body.count + 3
        try send([UInt8(length >> 8), UInt8(length & 255), kind] + body)
    }

    func send(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try send($0) } }

    func send(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.send(descriptor, base, rest.count, CInt(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw BenchError.system("sending") }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    // MARK: Receiving

    /// Reads once into the buffer.
    ///
    /// - Returns: false when nothing is there (and `waits` is false).
    @discardableResult
    func fill(waits: Bool) throws -> Bool {
        if start == end { (start, end) = (0, 0) }
        if end == memory.count, start > 0, let base = memory.baseAddress {
            memmove(base, base + start, end - start)
            (start, end) = (0, end - start)
        }
        guard end < memory.count, let base = memory.baseAddress else {
            throw BenchError("a frame is longer than the buffer")
        }
        while true {
            let count = recv(descriptor, base + end, memory.count - end, waits ? 0 : CInt(MSG_DONTWAIT))
            if count > 0 {
                end += count
                return true
            }
            if count == 0 { throw BenchError("the broker closed the connection") }
            if errno == EINTR { continue }
            guard errno == EAGAIN, !waits else { throw BenchError.system("waiting \(Self.patience) s for the broker") }
            return false
        }
    }

    /// The next whole frame in the buffer. Pings are answered here.
    func next() throws -> Frame? {
        while end - start >= 3 {
            let base = UnsafeRawBufferPointer(memory)
            let length = Int(base[start]) << 8 | Int(base[start + 1])
            guard length >= 3 else { throw BenchError("a frame with the length \(length)") }
            guard end - start >= length else { return nil }
            let frame = Frame(bytes: UnsafeRawBufferPointer(rebasing: base[start..<start + length]))
            start += length
            switch frame.kind {
            case Kind.ping: try send(Kind.pong, [])
            case Kind.disconnect:
                throw BenchError("the broker says goodbye: \(String(decoding: frame.bytes[3...], as: UTF8.self))")
            default: return frame
            }
        }
        return nil
    }

    /// Waits for a frame.
    func receiveFrame() throws -> Frame {
        while true {
            if let frame = try next() { return frame }
            try fill(waits: true)
        }
    }

    /// Takes what has come without waiting, so that pings are answered.
    func drain() throws {
        while try fill(waits: false) { while try next() != nil {} }
    }
}

extension UnsafeRawBufferPointer {
    /// A big-endian integer.
    @inline(__always)
    func integer(at offset: Int) -> UInt32 { UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
}
