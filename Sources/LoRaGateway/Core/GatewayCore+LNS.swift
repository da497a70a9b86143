import DeviceCore
import DeviceProtocols

// What Basics Station servers know of the radio, and say to it.
extension GatewayCore: LNSEnvironment {
    var radioView: LNSSession.RadioView {
        let chain = host.currentPlan.rfChains.firstIndex { $0.isEnabled && $0.transmitRange != nil } ?? 0
        return LNSSession.RadioView(
            count: host.radio.now(), session: radioSession, rfChain: UInt8(clamping: chain), reference: desk.reference)
    }

    var radioModel: String { host.radio.name }

    /// The first server's channels are taken where no file says any; other servers are told of, not obeyed: the radio
    /// has one plan.
    func configure(_ config: LNSRouterConfig, for name: String) {
        if let plan = BeaconPlan(config, position: position) { send(plan) }
        guard !config.boards.isEmpty else { return }
        var plan: RadioPlan
        do throws(LNSError) { plan = try config.plan(local: host.currentPlan) } catch {
            return warn("router-config", "\(name): its channels cannot be used: \(error)", key: name)
        }
        // A server that says not to listen is obeyed only where it is trusted with the law.
        if !config.nocca || !desk.queue.settings.trustsServer, host.radio.listensBeforeTalk {
            plan.listenBeforeTalk = plan.listenBeforeTalk ?? ListenBeforeTalk(regionNamed: config.region)
        }
        let (wanted, current) = (Set(plan.channels.map(\.frequency)), Set(host.currentPlan.channels.map(\.frequency)))
        guard wanted != current else { return }
        guard adoptsPlan, planOwner == nil || planOwner == name else {
            let missing = wanted.subtracting(current).sorted().map(\.description).joined(separator: ", ")
            return warn(
                "router-config",
                "\(name) wants other channels than the radio has (\(missing)); the radio's own settings stay", key: name
            )
        }
        planOwner = name
        guard plan.channels.isEmpty == false else { return }
        var settings = desk.queue.settings
        settings.plan = plan
        if let region = Region(named: config.region) { settings.region = region }
        use(settings)
        host.use(plan)
    }

    func synchronize(_ reference: RadioTimeReference) { desk.use(reference) }
}
