public import DeviceCore
public import NIOCore

/// One end of a link without its socket: handshake, channels, liveness. What the brokers' channel carries is the
/// broker's (``SMQBrokerStateMachine``).
///
/// The handshake: both ends send a random weight; then both send HMAC-SHA-512 of the cluster's password, keyed by their
/// own weight and the other's. It tells who knows the password; it encrypts nothing, and who can change what is on the
/// wire can change it afterwards too.
public struct SMQLinkStateMachine {
    /// What both ends agree on, and this end's patience.
    public struct Settings: Sendable {
        /// The cluster's password.
        public var password: [UInt8]
        /// HMAC comes in through it.
        public var crypto: any Crypto
        /// From the connection to the other end's proof. The vendor's node begins to answer after 100 ms.
        public var handshake: Duration = .seconds(3)
        /// From there to the first channel. The vendor's node first makes sure that an older link is dead: 9 s.
        public var opening: Duration = .seconds(12)
        /// Silence after which, and interval in which, the other end is asked whether it is there.
        public var pingAfter: Duration = .milliseconds(500)
        /// Silence after which the link is dead.
        public var deadAfter: Duration = .milliseconds(1500)

        /// The usual times.
        public init(password: [UInt8], crypto: any Crypto) {
            self.password = password
            self.crypto = crypto
        }
    }

    /// How far the link is.
    public enum Phase: Equatable, Sendable {
        /// The other end's weight is awaited.
        case greeting
        /// Its proof is awaited.
        case proving
        /// It is a node of the cluster.
        case open
    }

    /// What a frame meant.
    public enum Event: Equatable, Sendable {
        /// The other end has told its weight; ``prove(into:)`` goes on.
        case greeted
        /// The other end knows the password.
        case authenticated
        /// The other end has opened a channel.
        case opened(SMQLinkChannel)
        /// The other end has closed a channel.
        case closed(SMQLinkChannel)
        /// Nothing that anybody has to do something about.
        case nothing
    }

    /// What time brought.
    public enum Verdict: Equatable, Sendable {
        /// Nothing.
        case fine
        /// No proof, or no channel, in time.
        case tooSlow
        /// Nothing was heard for too long.
        case dead
    }

    /// A channel's two ids: frames carry the id that their receiver has chosen.
    struct ChannelIDs: Equatable {
        var own: UInt16 = 0
        var peer: UInt16 = 0
    }

    /// How far it is.
    public private(set) var phase = Phase.greeting
    /// This end's weight, 31 bits and not 0.
    public let weight: UInt32
    /// The other end's.
    public private(set) var peerWeight: UInt32 = 0
    let settings: Settings
    /// The brokers' channel, and that of nodes of this package.
    private(set) var smq = ChannelIDs()
    private(set) var node = ChannelIDs()
    private let began: MonotonicTime
    private var authenticated: MonotonicTime
    /// When something came last.
    public var lastReceived: MonotonicTime
    private var lastPing: MonotonicTime
    private var lastLook: MonotonicTime

    /// Begins a link.
    ///
    /// - Parameter random: any number; weight and channel ids are made of it and `channels`.
    public init(
        _ settings: Settings, random: UInt32, channels: (smq: UInt16, node: UInt16), now: MonotonicTime
    ) {
        self.settings = settings
        weight = Self.weight(from: random)
        let first = SMQLinkFormat.firstChannel
        smq.own = max(first, channels.smq)
        node.own = max(first, channels.node)
        if node.own == smq.own { node.own = smq.own == .max ? first : smq.own + 1 }
        began = now
        authenticated = now
        lastReceived = now
        lastPing = now
        lastLook = now
    }

    /// A weight from a random number, as the vendor's nodes choose it: 1 to 2^31 - 2.
    public static func weight(from random: UInt32) -> UInt32 { min(max(1, random & 0x7FFF_FFFF), 0x7FFF_FFFE) }

    /// Writes the first frame.
    public func greet(into output: inout ByteBuffer) { output.writeSMQLinkGreeting(weight: weight) }

    /// Writes the proof. Call it when the other end's weight is none of this node's own.
    public func prove(into output: inout ByteBuffer) throws(SMQLinkError) {
        output.writeSMQLinkProof(try digest(weight, peerWeight))
    }

    /// Opens a channel of this end.
    public func open(_ channel: SMQLinkChannel, into output: inout ByteBuffer) {
        output.writeSMQLinkOpen(channel.rawValue, id: channel == .smq ? smq.own : node.own)
    }

    /// Whether a frame may come now. Before the proof only frames of exactly one length do.
    @inline(__always)
    public func check(length: Int, id: UInt16) throws(SMQLinkError) {
        let isPossible =
            switch phase {
            case .open: length >= SMQLinkFormat.headerLength && length <= SMQLinkFormat.maximumFrame
            case .greeting: length == SMQLinkFormat.greetingLength && id == 0
            case .proving: length == SMQLinkFormat.proofLength && id == 0
            }
        if !isPossible { throw .badLength(length, id: id) }
    }

    /// Takes a frame that is of no channel of this end. Answers are appended to `output`.
    public mutating func receive(
        id: UInt16, _ data: ByteBuffer, now: MonotonicTime, into output: inout ByteBuffer
    ) throws(SMQLinkError) -> Event {
        switch phase {
        case .greeting:
            try takeGreeting(data)
            return .greeted
        case .proving:
            try takeProof(data)
            authenticated = now
            return .authenticated
        case .open:
            // What nobody knows is passed over, as the vendor does it.
            guard let control = SMQLinkControl(rawValue: id) else { return .nothing }
            return try take(control, data, into: &output)
        }
    }

    /// Looks at the clock; writes a ping when one is due.
    public mutating func tick(now: MonotonicTime, into output: inout ByteBuffer) -> Verdict {
        // Who has slept cannot tell whether the other end did: what it sent is still to be read.
        if lastLook + settings.pingAfter <= now { lastReceived = lastReceived + (now - lastLook) }
        lastLook = now
        switch phase {
        case .greeting, .proving: return began + settings.handshake <= now ? .tooSlow : .fine
        case .open where smq.peer == 0: return authenticated + settings.opening <= now ? .tooSlow : .fine
        case .open:
            if lastReceived + settings.deadAfter <= now { return .dead }
            if lastReceived + settings.pingAfter <= now, lastPing + settings.pingAfter <= now {
                lastPing = now
                output.writeSMQLink(.ping)
            }
            return .fine
        }
    }

    // MARK: Handshake

    private mutating func takeGreeting(_ data: ByteBuffer) throws(SMQLinkError) {
        var data = data
        guard let (begin, weight, end) = data.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self),
            begin == SMQLinkFormat.magicBegin, end == SMQLinkFormat.magicEnd
        else { throw .badGreeting }
        // With equal weights both proofs are the same, and this end's own would do as an answer.
        guard weight != self.weight else { throw .badWeight }
        peerWeight = weight
        phase = .proving
    }

    private mutating func takeProof(_ data: ByteBuffer) throws(SMQLinkError) {
        let right = try digest(peerWeight, weight)
        guard data.readableBytesView.equalsSecretly(right) else { throw .wrongPassword }
        phase = .open
    }

    private func digest(_ first: UInt32, _ second: UInt32) throws(SMQLinkError) -> [UInt8] {
        let key = [first, second].flatMap { weight in withUnsafeBytes(of: weight.bigEndian) { Array($0) } }
        do {
            return try settings.crypto.hmacSHA512(key: key, settings.password)
        } catch {
            throw .noCrypto
        }
    }

    // MARK: Channels

    private mutating func take(
        _ control: SMQLinkControl, _ data: ByteBuffer, into output: inout ByteBuffer
    ) throws(SMQLinkError) -> Event {
        var data = data
        let length = data.readableBytes
        switch control {
        case .open:
            guard let id = data.readInteger(as: UInt16.self) else { throw .truncated(id: 1, length: length) }
            guard let channel = SMQLinkChannel(rawValue: data.remainingText()) else { return .nothing }
            guard id >= SMQLinkFormat.firstChannel, id != (channel == .smq ? node.peer : smq.peer) else {
                throw .badChannel(id)
            }
            if channel == .smq { smq.peer = id } else { node.peer = id }
            return .opened(channel)
        case .close:
            guard let nameLength = data.readInteger(as: UInt16.self).map(Int.init),
                let name = data.readSlice(length: nameLength)
            else { throw .truncated(id: 2, length: length) }
            return SMQLinkChannel(rawValue: name.remainingText()).map { .closed($0) } ?? .nothing
        case .checkRequest:
            output.writeSMQLink(.checkResponse)
            return .nothing
        case .ping:
            output.writeSMQLink(.pong)
            return .nothing
        case .checkResponse, .pong: return .nothing
        }
    }
}
