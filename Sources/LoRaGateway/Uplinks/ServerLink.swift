import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore

/// A way to one server. Everything happens on the gateway's event loop.
protocol ServerLink: AnyObject {
    /// Begins to look for the server; never fails, because it goes on trying.
    func start()
    /// Ends it; what waits is handed back as missed before.
    func stop() -> EventLoopFuture<Void>
    /// Whether frames reach the server now, as far as is known.
    var isReady: Bool { get }
    /// Whether frames are worth sending though it is not known that they arrive, as with UDP.
    var sendsBlindly: Bool { get }
    /// Sends frames in order. Each comes back to the owner as delivered or missed, where the link can know.
    func send(_ frames: [ReceivedFrame])
    /// Tells the server what became of a frame that it wanted sent.
    func tell(_ fate: DownlinkFate, of ticket: DownlinkTicket, frame: RadioDownlink)
    /// For the page.
    var state: ServerLinkState { get }
    var counters: [(name: String, value: UInt64)] { get }
    /// What the link itself keeps on disk; nil for one that keeps nothing.
    var stored: FrameStore.Counters? { get }
}

extension ServerLink {
    var stored: FrameStore.Counters? { nil }
}

/// Who owns a link: gets what comes from the server.
protocol ServerLinkOwner: AnyObject {
    func linkChanged(isReady: Bool)
    func delivered(_ frames: [ReceivedFrame])
    /// Nobody acknowledged them.
    ///
    /// - Parameter isFull: they were given up because too many are under way.
    func missed(_ frames: [ReceivedFrame], isFull: Bool)
    func requested(_ downlink: ServerDownlink)
    func warn(_ kind: String, _ message: String)
}

/// How a link is doing, for a person.
struct ServerLinkState: Sendable, Hashable {
    /// One word: `up`, `silent`, `connecting`, `no-address`…
    var word: String
    var isUp: Bool
    /// The server's address in use.
    var address: String?
    /// Addresses that its name has.
    var addresses: Int = 0
    var roundTrip: Duration?
    /// What was wrong last.
    var problem: String?
}

/// What links share.
struct LinkContext: Sendable {
    let eui: GatewayEUI
    let eventLoop: any EventLoop
    let clock: DeviceClock
    let resolver: NameResolver
    let logger: Logger
    /// Where up-links keep what has to last; nil for nowhere.
    let stateDirectory: String?
}
