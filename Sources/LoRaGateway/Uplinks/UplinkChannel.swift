import DeviceCore
import DeviceProtocols
import NIOCore

/// Who has the up-links.
protocol UplinkChannelOwner: AnyObject {
    /// A server wants a frame sent.
    func requested(_ downlink: ServerDownlink, from channel: UplinkChannel)
    /// Something is wrong; kinds are the program's own words.
    func warn(_ kind: String, _ message: String, from channel: UplinkChannel)
    /// The server can be reached, or cannot any more.
    func changed(_ channel: UplinkChannel)
}

/// One up-link: what of the radio's frames it gets, what is kept for it, what it wants sent. Lives on the gateway's
/// event loop; it never waits for its server, so that it delays no other.
final class UplinkChannel: ServerLinkOwner {
    struct Counters: Sendable, Hashable {
        /// Frames that its filters let through, and those that they did not.
        var offered: UInt64 = 0
        var filtered: UInt64 = 0
        /// Frames handed to the link; again for those that are sent again.
        var sent: UInt64 = 0
        /// Frames that the server has acknowledged.
        var delivered: UInt64 = 0
        /// Frames that nobody acknowledged; they are sent again, from the store or, without one, within two seconds.
        var missed: UInt64 = 0
        /// Frames that were not sent because there was no connection and nothing keeps them.
        var dropped: UInt64 = 0
        /// Frames from the store that the server got too late for an answer.
        var late: UInt64 = 0
        var downlinks: UInt64 = 0
        /// Downlinks of an up-link that is for uplinks only.
        var ignoredDownlinks: UInt64 = 0
    }

    /// Stored frames under way at once.
    private static let window = 64

    let configuration: UplinkConfiguration
    private(set) var counters = Counters()
    let store: FrameStore?
    private(set) var link: (any ServerLink)?
    private unowned let owner: any UplinkChannelOwner
    /// Frames wait in the store, or are on their way from it: newer ones go behind them.
    private var hasBacklog = false
    private var isReading = false
    /// Frames went to the store since the read that is under way began.
    private var hasAppended = false
    private var underWay = 0
    private var needsRewind = false
    private var isStopping = false
    /// Where there is no store.
    private var recent = RecentFrames()
    private var expiry: Scheduled<Void>?
    private let context: LinkContext

    init(_ configuration: UplinkConfiguration, context: LinkContext, owner: any UplinkChannelOwner) {
        self.configuration = configuration
        self.context = context
        self.owner = owner
        // The cluster's client has an outbox of its own.
        if let settings = configuration.store, let directory = context.stateDirectory,
            configuration.kind.word != "cluster"
        {
            store = FrameStore(
                directory: "\(directory)/\(Self.storeName(configuration.name))", settings: settings,
                eventLoop: context.eventLoop)
        } else {
            store = nil
        }
    }

    /// Begins, with the way to the server.
    func start(_ link: any ServerLink) {
        self.link = link
        if let store {
            store.failed = { [weak self] error in self?.warn("store", "the store does not work: \(error)") }
            store.opened = { [weak self] in
                guard let self, store.counters.waiting > 0 else { return }
                hasBacklog = true
                pump()
            }
            store.open()
        }
        link.start()
    }

    /// Ends; frames that were not acknowledged are kept where there is a store.
    func stop() -> EventLoopFuture<Void>? {
        isStopping = true
        expiry?.cancel()
        guard let ended = link?.stop() else { return nil }
        guard let store else { return ended }
        return ended.flatMap { [bound = NIOLoopBound(store, eventLoop: ended.eventLoop)] in bound.value.close() }
    }

    // MARK: Frames

    /// Offers frames that the radio has heard.
    func offer(_ batch: [ReceivedFrame]) {
        var frames = batch.filter { frame in
            configuration.forwards.allows(frame.uplink.crc) && configuration.filter.passes(frame.uplink.payload)
        }
        counters.filtered += UInt64(batch.count - frames.count)
        counters.offered += UInt64(frames.count)
        guard !frames.isEmpty, let link else { return }
        if let store {
            guard hasBacklog || !link.isReady else { return send(&frames, link) }
            keep(frames, in: store)
            pump()
        } else if link.isReady || link.sendsBlindly {
            send(&frames, link)
        } else {
            keep(frames, wereSent: false)
        }
    }

    /// Keeps frames for the moment in which the server may come back.
    private func keep(_ frames: [ReceivedFrame], wereSent: Bool) {
        counters.dropped += UInt64(recent.keep(frames, wereSent: wereSent))
        if expiry == nil { expire() }
    }

    /// Gives up frames whose time is over, now and later.
    private func expire() {
        let now = context.clock.now
        counters.dropped += UInt64(recent.expire(now: now))
        expiry = nil
        guard let next = recent.expiry, !isStopping else { return }
        let delay = max(.milliseconds(1), next - now)
        expiry = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(delay.wholeNanoseconds)) {
            [weak self] in self?.expire()
        }
    }

    /// Sends what is still young enough, the oldest first.
    private func sendRecent() {
        guard !recent.isEmpty, let link, link.isReady, !isStopping else { return }
        counters.dropped += UInt64(recent.expire(now: context.clock.now))
        var frames = recent.takeAll()
        if !frames.isEmpty { send(&frames, link) }
    }

    private func keep(_ frames: [ReceivedFrame], in store: FrameStore) {
        store.append(frames)
        hasBacklog = true
        hasAppended = true
    }

    private func send(_ frames: inout [ReceivedFrame], _ link: any ServerLink) {
        counters.sent += UInt64(frames.count)
        link.send(frames)
    }

    func delivered(_ frames: [ReceivedFrame]) {
        counters.delivered += UInt64(frames.count)
        for frame in frames {
            guard let record = frame.record else { continue }
            underWay -= 1
            if frame.isLate { counters.late += 1 }
            store?.acknowledge(record)
        }
        pump()
    }

    func missed(_ frames: [ReceivedFrame], isFull: Bool) {
        counters.missed += UInt64(frames.count)
        guard let store else {
            // One that has too much to send is not given more.
            guard !isFull else { return }
            keep(frames, wereSent: true)
            return sendRecent()
        }
        let stored = frames.count { $0.record != nil }
        if stored > 0 {
            underWay -= stored
            needsRewind = true
        }
        let live = frames.filter { $0.record == nil }
        if !live.isEmpty { keep(live, in: store) }
        pump()
    }

    /// Sends what waits in the store, as long as the server acknowledges.
    private func pump() {
        guard let store, let link, hasBacklog, !isReading, !isStopping, link.isReady else { return }
        if needsRewind {
            // What is still under way would be read a second time.
            guard underWay == 0 else { return }
            needsRewind = false
            store.rewind()
        }
        guard underWay <= Self.window / 2 else { return }
        isReading = true
        hasAppended = false
        store.read(limit: Self.window) { [weak self] batch in self?.read(batch) }
    }

    private func read(_ batch: FrameStore.Batch?) {
        isReading = false
        guard let link, !isStopping else { return }
        // A disk that cannot be read now is tried again with the next frame.
        guard var batch else { return needsRewind = true }
        if batch.isEnd {
            if hasAppended { return pump() }
            if underWay == 0, !needsRewind { hasBacklog = false }
        } else if link.isReady {
            underWay += batch.frames.count
            send(&batch.frames, link)
            // All of them could not be read: on with the next.
            if batch.frames.isEmpty { pump() }
        } else {
            needsRewind = true
        }
    }

    func linkChanged(isReady: Bool) {
        owner.changed(self)
        guard isReady else { return }
        pump()
        sendRecent()
    }

    /// What waits on disk; nil where nothing is kept.
    var stored: FrameStore.Counters? { store?.counters ?? link?.stored }

    // MARK: Downlinks

    func requested(_ downlink: ServerDownlink) {
        guard !configuration.filter.isUplinkOnly else {
            counters.ignoredDownlinks += 1
            warn("uplink-only", "it wants a frame sent, but is for uplinks only")
            guard let frame = downlink.candidates.first?.frame else { return }
            return tell(.unwanted, of: downlink.ticket, frame: frame)
        }
        counters.downlinks += 1
        owner.requested(downlink, from: self)
    }

    /// Tells the server what became of its frame.
    func tell(_ fate: DownlinkFate, of ticket: DownlinkTicket, frame: RadioDownlink) {
        link?.tell(fate, of: ticket, frame: frame)
    }

    func warn(_ kind: String, _ message: String) { owner.warn(kind, message, from: self) }

    /// The directory of an up-link's own store. Those of cluster up-links begin with `cluster-`, this one never.
    private static func storeName(_ name: String) -> String {
        let part = directoryName(name)
        return part.hasPrefix("cluster-") ? "cluster_" + HexText.digits(UInt8(ascii: "-")) + part.dropFirst(8) : part
    }

    /// A name as one part of a path; different names are different parts.
    static func directoryName(_ name: String) -> String {
        name.utf8.map { byte in
            let character = Character(Unicode.Scalar(byte))
            let isPlain = byte < 0x80 && (character.isLetter || character.isNumber || character == "-")
            return isPlain ? String(character) : "_" + HexText.digits(byte)
        }.joined()
    }
}
