import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import TestSupport

@testable import LoRaGateway

/// A gateway with a radio of a test's own.
final class GatewayRig: Sendable {
    static let eui = GatewayEUI(0xAA55_5A00_0000_0101)

    let radio: TestRadio
    let core: NIOLoopBound<GatewayCore>
    let loop: any EventLoop
    let host: RadioHost
    private let log: EventLog
    private let running: Task<Void, Never>

    private init(
        radio: TestRadio, core: NIOLoopBound<GatewayCore>, host: RadioHost, loop: any EventLoop, log: EventLog,
        clock: DeviceClock
    ) {
        self.log = log
        self.radio = radio
        self.core = core
        self.host = host
        self.loop = loop
        running = Task {
            await host.run(on: loop) { batch in
                var batch = batch
                // As radios do, by the gateway's clock.
                for index in batch.indices { batch[index].receivedAt = clock.now }
                core.value.received(batch)
            }
        }
    }

    /// Runs a gateway for as long as the body takes.
    static func run(
        _ uplinks: [UplinkConfiguration], radio: TestRadio = TestRadio(), state: String? = nil,
        resolver: NameResolver = .shared, enforcesAirtime: Bool = false,
        _ body: @Sendable @escaping (GatewayRig) async throws -> Void
    ) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let clock = DeviceClock(ContinuousClock())
        let log = EventLog()
        let plan = RadioPlan(.eu868)
        var settings = RadioHost.Settings()
        settings.interval = .milliseconds(50)
        settings.standstill = .milliseconds(300)
        settings.backOff = BackOff(base: .milliseconds(20), cap: .milliseconds(100))
        let host = RadioHost(radio, plan: plan, settings: settings, clock: clock) { kind, message in
            log.add([.warning(kind: kind, message, held: 0)])
        }
        var downlinks = DownlinkSettings(plan: plan, region: .eu868)
        downlinks.trustsServer = !enforcesAirtime
        let context = LinkContext(
            eui: eui, eventLoop: loop, clock: clock, resolver: resolver, logger: Logger(label: "test"),
            stateDirectory: state)
        let core = try await loop.submit { [downlinks] in
            let core = GatewayCore(
                context: context, host: host, settings: downlinks, makeLink: GatewayParts.link, report: log.add)
            if enforcesAirtime, let state { core.keepDutyCycle(in: state) }
            return NIOLoopBound(core, eventLoop: loop)
        }.get()
        let rig = GatewayRig(radio: radio, core: core, host: host, loop: loop, log: log, clock: clock)
        try await eventually("the radio runs") { host.status.isRunning }
        try await loop.flatSubmit { core.value.use(uplinks) }.get()
        let result: Result<Void, any Error>
        do {
            try await body(rig)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        rig.running.cancel()
        await rig.running.value
        try await loop.flatSubmit { core.value.stop() }.get()
        try result.get()
    }

    /// What was wrong, by kind.
    var warnings: [String: UInt64] { get async throws { try await get { $0.warnings } } }
    var lines: [GatewayCore.Event] { log.events }

    /// What became of downlinks, in words, a step each.
    var fates: [String] {
        lines.compactMap { if case .downlink(_, let fate, _, _) = $0 { fate.word } else { nil } }
    }

    func get<Value: Sendable>(_ read: @escaping @Sendable (GatewayCore) -> Value) async throws -> Value {
        try await loop.submit { [core] in read(core.value) }.get()
    }

    /// An up-link's state and counters.
    func uplink(_ name: String) async throws -> (
        state: ServerLinkState, counters: UplinkChannel.Counters, waiting: UInt64
    ) {
        let found = try await get { core -> (ServerLinkState, UplinkChannel.Counters, UInt64)? in
            guard let channel = core.channels.first(where: { $0.configuration.name == name }),
                let state = channel.link?.state
            else { return nil }
            return (state, channel.counters, channel.stored?.waiting ?? 0)
        }
        guard let found else { throw Late(description: "no up-link \(name)") }
        return (found.0, found.1, found.2)
    }

    func waitUntilUp(_ name: String) async throws {
        try await eventually("\(name) is up") { try await self.uplink(name).state.isUp }
    }
}

/// Events of a gateway.
final class EventLog: Sendable {
    private let kept = Locked<[GatewayCore.Event]>([])
    var events: [GatewayCore.Event] { kept.withLock { $0 } }
    @Sendable func add(_ new: [GatewayCore.Event]) { kept.withLock { $0 += new } }
}
