import DeviceCore
import DeviceProtocols
import DeviceSimulator
import DeviceTransport
import Logging
import NIOCore

/// A gateway's parts for those who are not on its event loop.
struct GatewayHandle: Sendable {
    let bound: NIOLoopBound<GatewayCore>
    let eventLoop: any EventLoop
    let host: RadioHost
    let eui: GatewayEUI
    let clock: DeviceClock
    let startedAt: MonotonicTime
    /// The virtual concentrator, when it is one.
    let virtual: VirtualConcentrator?
}

/// Makes a gateway from its settings.
struct GatewayParts {
    let options: GatewayServiceOptions
    let configuration: GatewayConfiguration
    let stateDirectory: String?
    let clock: DeviceClock
    let eventLoop: any EventLoop
    let report: @Sendable ([GatewayCore.Event]) -> Void

    /// How long a vendor's forwarder may say nothing before it is listened for anew; its reports come every 30 s. The
    /// unit's `WatchdogSec` is longer, so that systemd does not end what the program can mend.
    static let forwarderStandstill = Duration.seconds(120)

    func make() async throws(DeviceError) -> GatewayHandle {
        let eui =
            configuration.eui ?? (options.isSimulated ? nil : MachineEUI.make()) ?? GatewayEUI(0x0200_00FF_FE00_0001)
        // Reports of a radio go to the core, which counts and limits them; it is made after the radio.
        let sink = Locked<NIOLoopBound<GatewayCore>?>(nil)
        let warn: @Sendable (String, String) -> Void = { [eventLoop] kind, message in
            guard let core = sink.withLock({ $0 }) else { return }
            eventLoop.execute { core.value.warn(kind, message) }
        }
        let radio = makeRadio(eui, warn)
        let rules = RadioRules(configuration, radio: radio)
        var hostSettings = RadioHost.Settings()
        if radio is ForwarderRadio { hostSettings.standstill = Self.forwarderStandstill }
        let host = RadioHost(radio, plan: rules.plan, settings: hostSettings, clock: clock, warn: warn)
        let context = LinkContext(
            eui: eui, eventLoop: eventLoop, clock: clock, resolver: .shared,
            logger: Logger(label: "lora") { _ in SwiftLogNoOpLogHandler() }, stateDirectory: stateDirectory)
        let configuration = configuration
        let report = report
        // The built-in simulation has no lock on the directory, and sends nothing.
        let dutyDirectory = options.source != .builtIn ? stateDirectory : nil
        do {
            let bound = try await eventLoop.submit { [eventLoop] in
                let core = GatewayCore(
                    context: context, host: host, settings: rules.downlinks, makeLink: Self.link, report: { report($0) }
                )
                core.dutyDirectory = dutyDirectory
                core.use(configuration, rules)
                return NIOLoopBound(core, eventLoop: eventLoop)
            }.get()
            sink.withLock { $0 = bound }
            return GatewayHandle(
                bound: bound, eventLoop: eventLoop, host: host, eui: eui, clock: clock,
                startedAt: clock.now, virtual: radio as? VirtualConcentrator)
        } catch {
            throw DeviceError(.closed, "the program is ending", cause: error)
        }
    }

    private func makeRadio(_ eui: GatewayEUI, _ warn: @escaping @Sendable (String, String) -> Void) -> any Radio {
        switch options.isSimulated ? .virtual : configuration.radio ?? .virtual {
        case .virtual:
            var settings = VirtualConcentratorSettings()
            settings.seed = options.seed
            settings.counterStart = options.counterStart
            settings.gpsTime = Self.gpsTime
            return VirtualConcentrator(
                settings,
                devices: VirtualDeviceSettings.fleet(options.devices, seed: options.seed, interval: options.interval),
                crypto: OpenSSLCrypto(), clock: clock)
        case .forwarder(let address):
            return ForwarderRadio(
                listen: address, eui: configuration.eui, clock: clock, eventLoop: eventLoop, warn: warn)
        case .lgwsim(let path): return LgwsimRadio(path: path, clock: clock, eventLoop: eventLoop, warn: warn)
        }
    }

    /// GPS time as far as the host's clock knows it: without leap seconds, of which there have been 18 since 1980.
    private static var gpsTime: UInt64 { UInt64(max(0, HostTime.now.microseconds - (315_964_800 - 18) * 1_000_000)) }

    /// Makes the way to a server.
    static func link(
        _ configuration: UplinkConfiguration, _ core: GatewayCore, _ channel: UplinkChannel
    ) -> any ServerLink {
        switch configuration.kind {
        case .gwmp(let server):
            return GWMPLink(
                server, keepsOrder: channel.store != nil, context: core.context, owner: channel
            ) { [unowned core, unowned channel] in core.stat(for: channel) }
        case .lns(let server):
            return LNSLink(
                server, name: configuration.name, context: core.context, owner: channel, environment: core)
        case .cluster(let server):
            return ClusterLink(
                server, name: configuration.name, store: configuration.store, context: core.context, owner: channel)
        }
    }
}
