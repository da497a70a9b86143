import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceTransport
import NIOCore

/// The gateway between its radio and its servers. Everything in it happens on one event loop.
final class GatewayCore: UplinkChannelOwner {
    /// What the outside is told of.
    enum Event: Sendable {
        case heard([RadioUplink])
        case warning(kind: String, String, held: UInt64)
        case uplink(name: String, kind: String, state: ServerLinkState)
        case downlink(id: UInt64, DownlinkFate, RadioDownlink, from: String)
    }

    /// Makes the way to a server.
    typealias MakeLink = (UplinkConfiguration, GatewayCore, UplinkChannel) -> any ServerLink

    let context: LinkContext
    let host: RadioHost
    let desk: DownlinkDesk
    private(set) var sieve = FrameSieve()
    private(set) var history = GatewayHistory()
    private(set) var channels: [UplinkChannel] = []
    /// What was wrong, by kind.
    private(set) var warnings: [String: UInt64] = [:]
    private var limiter = WarningLimiter<String>(every: .seconds(60))
    private let makeLink: MakeLink
    private let report: ([Event]) -> Void
    /// Counts of the last report to the servers, which want those since then; one for each up-link.
    private var reported: [String: StatCounts] = [:]
    private(set) var position: GatewayConfiguration.Position?
    /// Whether a server may say which channels the radio has, because no file does; and which one has.
    private(set) var adoptsPlan = false
    var planOwner: String?
    /// nil where the duty cycle is not kept beyond the program's end.
    private var keeper: DutyCycleKeeper?
    /// Where the duty cycle is kept; nil for nowhere.
    var dutyDirectory: String?
    /// Class B's beacons; nil: none are sent. They need the radio's own GPS time: a server's is not exact enough.
    private var beacons: BeaconScheduler?
    private var beaconTimer: Scheduled<Void>?
    /// Those that the files ask for.
    private var configuredBeacons: BeaconPlan?
    private var session: (clocks: UInt64, number: UInt8) = (0, 0)
    /// Where scripts are asked; nil without scripts.
    private(set) var gates: FrameGates?

    /// A number of the radio's clock, never 0, by chance: times from before it are known as such.
    var radioSession: UInt8 {
        let clocks = host.radio.counters.clocks
        if session.number == 0 || session.clocks != clocks {
            let others = (UInt8(1) ... .max).filter { $0 != session.number }
            session = (clocks, others.randomElement() ?? 1)
        }
        return session.number
    }

    struct StatCounts {
        var received: UInt64 = 0
        var ok: UInt64 = 0
        var forwarded: UInt64 = 0
        var transmitted: UInt64 = 0
    }

    init(
        context: LinkContext, host: RadioHost, settings: DownlinkSettings, makeLink: @escaping MakeLink,
        report: @escaping ([Event]) -> Void
    ) {
        self.context = context
        self.host = host
        self.makeLink = makeLink
        self.report = report
        desk = DownlinkDesk(radio: host.radio, settings: settings, eventLoop: context.eventLoop)
        desk.told = { [weak self] id, fate, frame, channel in self?.told(id, fate, frame, channel) }
    }

    /// Takes what the files say of the radio, the law, the place and beacons; at the start and when they are read again.
    /// Up-links are ``use(_:)``'s.
    func use(_ configuration: GatewayConfiguration, _ rules: RadioRules) {
        position = configuration.position
        adoptsPlan = configuration.plan == nil && configuration.region == nil
        var settings = rules.downlinks
        if adoptsPlan, planOwner != nil {
            // Still no file says which channels there are, so those of the server stay.
            (settings.plan, settings.region) = (desk.queue.settings.plan, desk.queue.settings.region)
        } else {
            planOwner = nil
        }
        settings.beacons = desk.queue.settings.beacons
        use(settings)
        host.use(settings.plan)
        if keeper == nil, configuration.enforcesAirtime, let dutyDirectory { keepDutyCycle(in: dutyDirectory) }
        let beacons = configuration.beacon.flatMap { BeaconPlan($0, position: position) }
        if let beacons { send(beacons) } else if configuredBeacons != nil { stopBeacons() }
        configuredBeacons = beacons
        if rules.cannotListen {
            warn(
                "lbt",
                "the region's law wants radios to listen before they talk, and \(host.radio.name) does not: set that up in "
                    + "the vendor's forwarder, or write \"lbt\": false to say that it is not needed")
        }
    }

    private func stopBeacons() {
        beacons = nil
        beaconTimer?.cancel()
        beaconTimer = nil
        var settings = desk.queue.settings
        settings.beacons = nil
        use(settings)
    }

    /// Sends beacons of that kind from now on.
    func send(_ plan: BeaconPlan) {
        guard beacons?.plan != plan else { return }
        beacons = BeaconScheduler(plan)
        var settings = desk.queue.settings
        settings.beacons = DownlinkSettings.BeaconTimes(airtime: plan.airtime)
        use(settings)
        if beaconTimer == nil { scheduleBeacon(after: .seconds(1)) }
    }

    /// Keeps the duty cycle in a directory, and counts what an earlier run has left there.
    func keepDutyCycle(in directory: String) {
        let keeper = DutyCycleKeeper(directory: directory, desk: desk, eventLoop: context.eventLoop) { [weak self] in
            self?.warn("duty-cycle", $0)
        }
        self.keeper = keeper
        keeper.load()
    }

    /// Judges downlinks by other rules from now on.
    func use(_ settings: DownlinkSettings) {
        let isOther = settings.region != desk.queue.settings.region
        desk.use(settings)
        if isOther { keeper?.load() }
    }

    private func scheduleBeacon(after time: TimeAmount) {
        beaconTimer = context.eventLoop.assumeIsolated().scheduleTask(in: time) { [weak self] in
            self?.planBeacon()
            self?.scheduleBeacon(after: .seconds(10))
        }
    }

    private func planBeacon() {
        let view = radioView
        guard let now = host.radio.timeReference?.gpsTime(atCount: view.count),
            let request = beacons?.next(now: now, rfChain: view.rfChain)
        else { return }
        desk.submit(ServerDownlink(candidates: [request], ticket: .beacon), from: nil)
    }

    // MARK: Frames

    /// Takes what the radio heard.
    func received(_ batch: [RadioUplink]) {
        let frames = sieve.sift(batch)
        guard !frames.isEmpty else { return }
        let time = HostTime.now
        let received = frames.map { ReceivedFrame($0, receivedAt: time) }
        if let gates, !gates.uplinks.isIdle {
            for frame in received { gates.uplinks.take(frame) }
        } else {
            for channel in channels { channel.offer(received) }
        }
        // What people see comes after what servers get.
        for frame in frames { history.add(frame, at: time) }
        report([.heard(frames)])
    }

    /// Asks scripts of frames from now on.
    func ask(_ hooks: ScriptHooks, patience: FrameGates.Patience = FrameGates.Patience()) {
        gates = FrameGates(hooks, core: self, patience: patience)
    }

    /// Offers a frame that scripts have seen.
    ///
    /// - Parameter receivers: the up-links that get it; nil: all.
    func offer(_ frame: ReceivedFrame, to receivers: Set<String>? = nil) {
        for channel in channels where receivers?.contains(channel.configuration.name) ?? true {
            channel.offer([frame])
        }
    }

    // MARK: Up-links

    /// Has exactly these up-links: those that are the same go on, others end or begin.
    func use(_ configurations: [UplinkConfiguration]) -> EventLoopFuture<Void> {
        // What waits for scripts was heard by, and answers to, the up-links that there are.
        gates?.flush()
        var ending: [EventLoopFuture<Void>] = []
        var kept: [UplinkChannel] = []
        for channel in channels {
            if configurations.contains(channel.configuration) {
                kept.append(channel)
            } else {
                desk.forget(channel)
                if let ended = channel.stop() { ending.append(ended) }
            }
        }
        channels = kept
        let new = configurations.filter { configuration in !kept.contains { $0.configuration == configuration } }
        // A new up-link may use the directory of an old one, which has to be closed before.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        return EventLoopFuture.andAllComplete(ending, on: context.eventLoop).map {
            let core = bound.value
            for configuration in new {
                let channel = UplinkChannel(configuration, context: core.context, owner: core)
                core.channels.append(channel)
                channel.start(core.makeLink(configuration, core, channel))
            }
        }
    }

    /// Ends all up-links; what they have not delivered is kept where it can be.
    func stop() -> EventLoopFuture<Void> {
        desk.stop()
        beaconTimer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        return use([]).flatMap {
            bound.value.keeper?.save() ?? bound.value.context.eventLoop.makeSucceededVoidFuture()
        }
    }

    func requested(_ downlink: ServerDownlink, from channel: UplinkChannel) {
        guard let gates else { return desk.submit(downlink, from: channel) }
        gates.take(downlink, from: channel)
    }

    func changed(_ channel: UplinkChannel) {
        guard let state = channel.link?.state else { return }
        report([.uplink(name: channel.configuration.name, kind: channel.configuration.kind.word, state: state)])
    }

    func warn(_ kind: String, _ message: String, from channel: UplinkChannel) {
        warn(
            "\(channel.configuration.kind.word)-\(kind)", "\(channel.configuration.name): \(message)",
            key: channel.configuration.name)
    }

    /// Counts something wrong, and tells of it once per kind and minute.
    ///
    /// - Parameter key: who it is about, where several can be.
    func warn(_ kind: String, _ message: String, key: String = "") {
        warnings[kind, default: 0] += 1
        guard let held = limiter.admit("\(kind) \(key)", at: context.clock.now) else { return }
        report([.warning(kind: kind, message.printable, held: held)])
    }

    private func told(_ id: UInt64, _ fate: DownlinkFate, _ frame: RadioDownlink, _ channel: UplinkChannel?) {
        let name = channel?.configuration.name ?? "beacon"
        history.add(id, fate, frame, from: name, at: HostTime.now)
        switch fate {
        case .accepted, .failed: keeper?.changed()
        case .refused, .unwanted, .vetoed, .transmitted: break
        }
        report([.downlink(id: id, fate, frame, from: name)])
    }

    // MARK: Reports

    /// The report to a server: counts since the last one to it.
    func stat(for channel: UplinkChannel) -> GWMPStat {
        let radio = host.radio.counters
        let now = StatCounts(
            received: radio.received, ok: radio.received - min(radio.received, radio.badCRC + radio.withoutCRC),
            forwarded: channel.counters.sent, transmitted: desk.queue.counters.emitted)
        let last = reported[channel.configuration.name] ?? StatCounts()
        reported[channel.configuration.name] = now
        var stat = GWMPStat()
        stat.time = HostTime.now
        stat.rxnb = UInt32(clamping: now.received - min(now.received, last.received))
        stat.rxok = UInt32(clamping: now.ok - min(now.ok, last.ok))
        stat.rxfw = UInt32(clamping: now.forwarded - min(now.forwarded, last.forwarded))
        stat.txnb = UInt32(clamping: now.transmitted - min(now.transmitted, last.transmitted))
        if let position {
            (stat.lati, stat.long, stat.alti) = (position.latitude, position.longitude, position.altitude)
        }
        return stat
    }
}
