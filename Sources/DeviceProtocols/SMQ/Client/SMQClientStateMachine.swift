public import DeviceCore
public import NIOCore

/// One SMQ session seen from the client, without its socket: handshake, frames, liveness.
///
/// What is to be written gathers in ``output``. Names, subscriptions and reconnecting are the business of the owner;
/// every id that appears here is valid for this session only.
public struct SMQClientStateMachine: Sendable {
    /// How to open the session.
    public struct Configuration: Sendable {
        /// Open the stream by a HTTP request. Over WebSocket the transport has done that, and it also turns the
        /// messages into raw frames and back, so that this machine knows one form only.
        public var sendsHTTPRequest = true
        /// Value of the Host header.
        public var host = "localhost"
        /// Path and query of the broker.
        public var path = "/smq.lsp"
        /// Ask for the HTTP response that precedes the Init; without it Init is the first thing on the wire.
        public var wantsHTTPResponse = true
        /// Protocol version in the connect: 1, or 2 as the vendor's C client sends.
        public var version: UInt8 = 1
        /// The client's unique id, 6 to 255 bytes.
        public var uid: [UInt8]
        /// The client's information text.
        public var information = ""
        /// Time from the first byte sent to the connack.
        public var handshake: Duration = .seconds(5)
        /// A ping is sent when nothing was received for so long.
        public var pingAfter: Duration = .seconds(3)
        /// The session is over when nothing at all comes for so long after the ping.
        public var pingTimeout: Duration = .seconds(2)

        /// A configuration with the default times.
        public init(uid: [UInt8]) { self.uid = uid }
    }

    /// What the owner has to know.
    public enum Event: Sendable {
        /// Make the credentials and call ``sendConnect(credentials:)``.
        case credentialsNeeded(seed: UInt32, address: String)
        /// The session is open.
        case connected(etid: UInt32)
        /// The answer to a subscribe, create or createsub; the id is nil when it was denied.
        case acknowledged(SMQMessageType, name: ByteBuffer, id: UInt32?)
        /// The subscriber count of an observed id.
        case changed(id: UInt32, subscribers: UInt32)
        /// The broker has handled everything that was sent before the ping of this number, see ``ping()``.
        case pong(UInt64)
        /// The broker wants to end, and serves this session until its client has found another node.
        case askedToLeave
        /// The broker says goodbye. Close the connection.
        case disconnected(reason: String)
        /// The session cannot go on. Close the connection.
        case failed(DeviceError)
    }

    enum Phase: Equatable {
        case idle
        case httpResponse
        case awaitingInit
        case awaitingCredentials
        case awaitingConnack
        case open
        case over
    }

    /// What is to be written to the connection; the owner takes it and leaves it empty.
    public var output = ByteBuffer()
    let configuration: Configuration
    var phase = Phase.idle
    var etid: UInt32 = 0
    var input = ByteBuffer()
    var events: [Event] = []
    var deadline = MonotonicTime.distantFuture
    /// Answers to the broker's pings that nobody has taken from ``output`` yet, and how many may wait there.
    var waitingPongs = 0
    static let pongLimit = 65_536
    /// When something last came.
    public private(set) var lastReceived = MonotonicTime.zero
    /// When the session is over unless something comes: a ping was sent.
    var answerDue: MonotonicTime?
    /// Whether the wait for an answer was prolonged because this machine was late itself.
    var isPardoned = false
    /// The last ping of ``tick(now:)`` whose pong has not come.
    var pongAwaited: (number: UInt64, since: MonotonicTime)?
    /// Pongs carry no number, but a broker answers pings in order: so they are counted.
    var pings: UInt64 = 0
    var pongs: UInt64 = 0
    /// Time from the last ping that ``tick(now:)`` sent to its pong.
    public internal(set) var roundTrip: Duration?

    /// A session that has not begun.
    public init(_ configuration: Configuration) { self.configuration = configuration }

    /// Whether the session is open.
    public var isOpen: Bool { phase == .open }
    /// The id of this client in this session, 0 before it is open.
    public var ownETID: UInt32 { etid }

    /// The connection is up: sends the HTTP request (raw) and waits for Init.
    public mutating func start(now: MonotonicTime) {
        guard phase == .idle else { return }
        lastReceived = now
        deadline = now + configuration.handshake
        phase = .awaitingInit
        guard configuration.sendsHTTPRequest else { return }
        phase = .httpResponse
        let version = configuration.wantsHTTPResponse ? "1.1" : "1.0"
        var request = "GET \(configuration.path) HTTP/\(version)\r\nHost: \(configuration.host)\r\nSimpleMQ: 1\r\n"
        if configuration.wantsHTTPResponse { request += "SendSmqHttpResponse: true\r\n" }
        request += "User-Agent: \(SMQGoodbye.userAgent)\r\n\r\n"
        output.writeString(request)
    }

    /// Sends the connect once the owner has the credentials.
    public mutating func sendConnect(credentials: [UInt8]) {
        guard phase == .awaitingCredentials else { return }
        let fits = output.writeSMQConnect(
            version: configuration.version, uid: configuration.uid, credentials: credentials,
            information: configuration.information)
        guard fits else {
            return fail(
                DeviceError(
                    .invalidArgument, "unique id or credentials are longer than 255 bytes, or the information text too")
            )
        }
        phase = .awaitingConnack
    }

    /// What is to be written, which is empty afterwards; nil when there is nothing.
    public mutating func takeOutput() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        waitingPongs = 0
        var taken = ByteBuffer()
        swap(&taken, &output)
        return taken
    }

    /// What has happened since the last call, in order.
    public mutating func takeEvents() -> [Event] {
        guard !events.isEmpty else { return [] }
        var taken: [Event] = []
        swap(&taken, &events)
        return taken
    }

    /// Does what is due: the handshake's deadline and pings.
    ///
    /// - Returns: when to call again.
    public mutating func tick(now: MonotonicTime) -> MonotonicTime {
        switch phase {
        case .idle, .over: return .distantFuture
        case .open:
            if let end = answerDue {
                guard now >= end else { return end }
                // Who comes so late has been frozen or starved itself: the answer may lie in the socket unread.
                if !isPardoned, now - end > configuration.pingTimeout / 4 {
                    isPardoned = true
                    answerDue = now + configuration.pingTimeout / 2
                    return now + configuration.pingTimeout / 2
                }
                fail(
                    DeviceError(
                        .timedOut, "the broker did not answer a ping within \(configuration.pingTimeout)"))
                return .distantFuture
            }
            let due = lastReceived + configuration.pingAfter
            guard now >= due else { return due }
            pongAwaited = (ping(), now)
            answerDue = now + configuration.pingTimeout
            return now + configuration.pingTimeout
        default:
            guard now >= deadline else { return deadline }
            fail(
                DeviceError(
                    .timedOut, "no SMQ handshake within \(configuration.handshake)",
                    hint: "Check that the address is that of a SMQ broker and that it is alive"))
            return .distantFuture
        }
    }

    /// Sends a ping as a barrier: a broker handles the frames of a connection in order, so when ``Event/pong(_:)`` comes
    /// with the number that is returned here, it has handled all that was written to ``output`` before.
    ///
    /// Liveness does not depend on it: see ``tick(now:)``. Of use in an open session only.
    public mutating func ping() -> UInt64 {
        output.writeSMQ(.ping)
        pings += 1
        return pings
    }

    /// Takes bytes from the broker: any piece of its stream.
    ///
    /// It stops at each event: an acknowledgement may be followed at once by messages that only make sense once the
    /// owner knows the id. So the owner calls ``takeEvents()`` and then ``proceed(onPublish:)``, until there are no
    /// more events.
    ///
    /// - Parameter onPublish: called for each publish, in order: destination, publisher, sub-topic, payload. The
    ///   payload shares the memory of `bytes`.
    public mutating func receive(
        _ bytes: ByteBuffer, now: MonotonicTime,
        onPublish: (UInt32, UInt32, UInt32, ByteBuffer) -> Void
    ) {
        guard phase != .over, phase != .idle else { return }
        lastReceived = now
        answerDue = nil
        isPardoned = false
        if input.readableBytes == 0 { input = bytes } else { input.writeImmutableBuffer(bytes) }
        proceed(onPublish: onPublish)
    }

    /// Goes on with what was received, up to the next event.
    public mutating func proceed(onPublish: (UInt32, UInt32, UInt32, ByteBuffer) -> Void) {
        do throws(SMQProtocolError) {
            if phase == .httpResponse, !readHTTPResponse() { return }
            while phase != .over, phase != .idle {
                guard let message = try nextMessage() else { return compactInput() }
                handle(try SMQFrame(message: message), onPublish)
                if !events.isEmpty { return }
            }
        } catch {
            fail(DeviceError(.protocolViolation, "the broker sent \(error)", hint: Self.notSMQ))
        }
    }

    /// What is left is the beginning of a frame; it must not keep the read's buffer alive.
    private mutating func compactInput() {
        if input.readableBytes == 0 {
            input = ByteBuffer()
        } else if input.readerIndex > 0 {
            input = ByteBuffer(bytes: input.readableBytesView)
        }
    }

    private mutating func nextMessage() throws(SMQProtocolError) -> ByteBuffer? {
        // Before the Init anything may be at the other end; its first bytes tell at once. (A TLS alert has the Init's
        // type at the same place, but not its length.)
        if phase == .awaitingInit, let length = input.getInteger(at: input.readerIndex, as: UInt16.self).map(Int.init),
            length > Self.longestInit
        {
            throw .tooLong(length, limit: Self.longestInit)
        }
        if phase == .awaitingInit, let type = input.getInteger(at: input.readerIndex + 2, as: UInt8.self),
            type != SMQMessageType.initialize.rawValue
        {
            throw SMQMessageType(rawValue: type).map { .unexpected($0) } ?? .unknownType(type)
        }
        return try input.readSMQRawMessage()
    }

    /// An Init holds little more than an address.
    private static let longestInit = 512
    static let notSMQ = "Is this the address of a SMQ broker? The usual form is smq://host:port/smq.lsp"

    mutating func fail(_ error: DeviceError) {
        guard phase != .over else { return }
        phase = .over
        events.append(.failed(error))
    }
}
