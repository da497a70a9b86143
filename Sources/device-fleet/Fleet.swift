import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceSimulator
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import Outbox

/// A run: receivers first, then the devices, then what came of it.
final class Fleet: Sendable {
    let options: FleetOptions
    let ledger: FleetLedger
    private let report: @Sendable (FleetReport) -> Void
    private let clients = Locked<[SMQClient]>([])
    private let samples = Locked(Samples())
    private let absence = Locked(FleetAbsence())
    private let stopping = BoundedStream<Void>(limit: 1)
    let scripts: FleetScripts?

    init(_ options: FleetOptions, report: @escaping @Sendable (FleetReport) -> Void = { _ in }) {
        self.options = options
        self.report = report
        ledger = FleetLedger(devices: options.devices, run: options.run)
        scripts = options.scripts.map { FleetScripts($0, report: report) }
    }

    /// Ends the run early, with a summary of what was.
    func stop() { stopping.finish() }

    /// Devices with an open session.
    var connected: Int { clients.withLock { $0 }.count { $0.isConnected } }

    /// - Throws: `invalidArgument`, `limitExceeded`; `unavailable` when no receiver can connect; what the names'
    ///   lookup throws.
    func run() async throws(DeviceError) -> FleetSummary {
        try options.check()
        let (urls, endpoints) = try await FleetNodes.find(options)
        for warning in try options.checkMachine(endpoints: endpoints) { report(.note(warning)) }
        var deduplicator: Deduplicator?
        if options.delivery != .live, let directory = options.stateDirectory {
            var limits = DeduplicatorLimits()
            limits.streams = 8 * FleetOptions.outboxLimit
            limits.handling = 65_536
            deduplicator = try await Deduplicator.open(directory: "\(directory)/receivers", limits: limits)
        }
        // Receivers have a thread of their own, so that what devices do does not delay them.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads + 1)
        defer { group.shutdownGracefully { _ in } }
        var loops: [any EventLoop] = []
        for loop in group.makeIterator() { loops.append(loop) }
        let receivers = urls.enumerated().map { index, url in
            FleetReceiver(
                index, client: SMQClient(configuration(receiver: index, url), eventLoop: loops.first),
                delivery: options.delivery, deduplicator: deduplicator, ledger: ledger)
        }
        // Why there is no connection, for when there is none.
        let told = receivers.map { $0.client.events() }
        let tasks = receivers.map { receiver in
            Task { [report] in
                do throws(DeviceError) { try await receiver.run() } catch {
                    report(.note("A receiver ended: \(error)"))
                }
            }
        }
        ledger.expect(receivers: receivers.count)
        try await connect(receivers, told, endpoints: endpoints)
        let probing = Task { await probe(receivers) }
        let summary = await drive(Array(loops.dropFirst()), receivers)
        probing.cancel()
        await probing.value
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        try? await deduplicator?.close()
        return summary
    }

    // MARK: Receivers

    private func configuration(receiver index: Int, _ url: BrokerURL) -> SMQClientConfiguration {
        var configuration = SMQClientConfiguration(
            brokers: [url], uid: Array("fleet-\(String(options.run, radix: 16))-receiver-\(index)".utf8),
            profile: options.profile)
        configuration.resolver = options.resolver
        configuration.tls = options.tls
        return configuration
    }

    /// What the first client that was told something was told last, and what to do about it.
    private static func lastFailure(_ told: [BoundedStream<SMQClientEvent>]) -> (reason: String?, hint: String?) {
        for events in told {
            for event in (events.takeAll() ?? []).reversed() {
                if case .disconnected(_, let reason, let hint, _, _) = event { return (reason.printable, hint) }
            }
        }
        return (nil, nil)
    }

    /// Waits for the receivers, and finds out whether their brokers are linked.
    private func connect(
        _ receivers: [FleetReceiver], _ told: [BoundedStream<SMQClientEvent>], endpoints: Int
    ) async throws(DeviceError) {
        let end = FleetClock.now + .seconds(10)
        while receivers.contains(where: { !$0.client.isConnected }), FleetClock.now < end {
            try? await Task.sleep(for: .milliseconds(10))
        }
        let missing = receivers.filter { !$0.client.isConnected }
        guard missing.count < receivers.count else {
            let names = receivers.map { "\($0.client.configuration.brokers.first?.description ?? "")" }
            let (reason, hint) = Self.lastFailure(told)
            throw DeviceError(
                .unavailable,
                "no receiver could connect to \(names.joined(separator: ", "))" + (reason.map { ": \($0)" } ?? ""),
                hint: hint ?? "Check that the brokers run")
        }
        for receiver in missing {
            report(
                .note(
                    "No broker at \(receiver.client.configuration.brokers.first?.description ?? "") yet: messages through it are lost until its receiver is connected."
                ))
        }
        // Subscriptions are asked for with the session; a little time for their answers.
        try? await Task.sleep(for: .milliseconds(200))
        for receiver in receivers { receiver.probe() }
        try? await Task.sleep(for: .milliseconds(500))
        let isLinked = isLinked
        if receivers.count > 1 {
            report(
                .note(
                    isLinked
                        ? "The brokers are linked: each of \(receivers.count) receivers hears all devices."
                        : "The brokers are not linked: one receiver at each of \(receivers.count)."))
        }
        if receivers.count < endpoints, !isLinked {
            report(
                .note(
                    "There are \(endpoints) broker addresses and \(receivers.count) receivers: unless the brokers are linked, messages through the others count as lost. Leave out --receiver for one at each."
                ))
        }
    }

    private var isLinked: Bool { ledger.withLock { $0.isLinked } }

    /// Links can come up later than receivers: asks once a second until one hears another.
    private func probe(_ receivers: [FleetReceiver]) async {
        guard receivers.count > 1, !isLinked else { return }
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            guard !isLinked else {
                return report(
                    .note("The brokers are linked by now: each of \(receivers.count) receivers hears all devices."))
            }
            for receiver in receivers { receiver.probe() }
        }
    }

    // MARK: Devices

    private func drive(_ loops: [any EventLoop], _ receivers: [FleetReceiver]) async -> FleetSummary {
        let baseline = ResidentMemory.bytes
        let start = FleetClock.now
        var drivers: [NIOLoopBound<FleetDriver>] = []
        for (index, loop) in loops.enumerated() {
            let numbers = Array(stride(from: index, to: options.devices, by: loops.count))
            drivers.append(
                (try? await loop.submit { [self] in
                    let driver = makeDriver(loop, receivers)
                    driver.begin(numbers, options.plan, at: start)
                    return NIOLoopBound(driver, eventLoop: loop)
                }.get()) ?? NIOLoopBound(makeDriver(loop, receivers), eventLoop: loop))
        }
        let sampling = Task { await sample(baseline, start) }
        await waitForEnd()
        for driver in drivers { driver.eventLoop.execute { driver.value.rest() } }
        await settle()
        sampling.cancel()
        await sampling.value
        ledger.close()
        _ = look()
        let summary = FleetSummary(
            options: options, state: ledger.withLock { $0 }, clients: clients.withLock { $0 },
            samples: samples.withLock { $0 }, absence: absence.withLock { $0 }, baseline: baseline, start: start,
            receivers: receivers,
            isLinked: isLinked, scripts: scripts?.figures)
        await scripts?.stop()
        // The report is told before the devices say goodbye: their end is no event of the run.
        var ending: [Task<Void, Never>] = []
        for driver in drivers {
            ending +=
                (try? await driver.eventLoop.submit { driver.value.devices.values.compactMap { $0.stop() } }.get())
                ?? []
        }
        for task in ending { await task.value }
        clients.withLock { $0 = [] }
        return summary
    }

    private func makeDriver(_ loop: any EventLoop, _ receivers: [FleetReceiver]) -> FleetDriver {
        FleetDriver(
            eventLoop: loop, ledger: ledger,
            command: { [ledger] device, node, command in
                let open = FleetLedger.OpenCommand(
                    led: UInt8(truncatingIfNeeded: command.id), isOn: command.isOn, time: FleetClock.now)
                let addresses = ledger.command(device, open)
                guard !addresses.isEmpty else { return }
                // By the device's own node, which needs no link; else by whoever has a session.
                let own = addresses.filter { address in
                    guard let node, receivers.indices.contains(address.receiver) else { return false }
                    return receivers[address.receiver].client.currentStatus.node == node  // safe: checked above
                }
                for address in own + addresses where receivers.indices.contains(address.receiver) {
                    // safe: checked above
                    if (try? receivers[address.receiver].send(command, to: address.peer)) != nil { return }
                }
                ledger.commandFailed(device)
            },
            make: { [self] number throws(DeviceError) in try makeDevice(number, loop) })
    }

    private func makeDevice(_ number: Int, _ loop: any EventLoop) throws(DeviceError) -> VirtualDevice {
        let name = "fleet-\(String(options.run, radix: 16))-\(number)"
        var configuration = SMQClientConfiguration(
            brokers: options.brokers, uid: Array(name.utf8), profile: options.profile)
        configuration.resolver = options.resolver
        configuration.keepsStandby = options.keepsStandby
        configuration.service = options.service
        configuration.nodePolicy = options.policy.policy(client: configuration.uid)
        configuration.tls = options.tls
        configuration.outgoingBytes = 64 << 10
        configuration.pendingMessages = 100
        if options.delivery != .live, let directory = options.stateDirectory {
            configuration.outbox = SMQOutboxConfiguration(directory: "\(directory)/device-\(number)")
        }
        let client = SMQClient(configuration, eventLoop: loop, logger: Self.logger)
        let board = SimulatedBoard()
        let device = try VirtualDevice(
            number, client: client, eventLoop: loop, board: board, scenario: options.plan.scenario,
            delivery: options.delivery, ledger: ledger)
        try scripts?.start(number, on: board, standard: configuration, eventLoop: loop)
        clients.withLock { $0.append(client) }
        return device
    }

    /// Thousands of clients that log the same loss help nobody; it is counted.
    static let logger = Logger(label: "device-fleet") { _ in SwiftLogNoOpLogHandler() }

    // MARK: Time

    private func waitForEnd() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [stopping] in for await _ in stopping {} }
            if let duration = options.duration {
                group.addTask { try? await Task.sleep(for: duration) }
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Until everything that was taken has arrived, or for as long as the options say.
    private func settle() async {
        let end = FleetClock.now + options.settle
        while FleetClock.now < end {
            let totals = ledger.totals
            let waiting = options.delivery == .live ? 0 : waitingInOutboxes
            if totals.delivered >= totals.accepted, waiting == 0 { break }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private var waitingInOutboxes: UInt64 {
        clients.withLock { $0 }.reduce(0) { $0 + $1.deliveryCounters.normal.waiting }
    }

    /// How many devices have a session now; since when the others have none is noted.
    private func look() -> Int {
        let isConnected = clients.withLock { $0 }.map(\.isConnected)
        absence.withLock { $0.look(isConnected, at: FleetClock.now) }
        return isConnected.count { $0 }
    }

    private func sample(_ baseline: Int, _ start: MonotonicTime) async {
        while !Task.isCancelled {
            let connected = look()
            let sample = FleetSample(
                time: FleetClock.now - start, connected: connected, totals: ledger.totals, memory: ResidentMemory.bytes)
            samples.withLock { $0.add(sample) }
            report(.sample(sample))
            try? await Task.sleep(for: .seconds(1))
        }
    }
}

/// What a run tells while it goes on.
enum FleetReport: Sendable {
    case note(String)
    case sample(FleetSample)
}

/// A second of a run.
struct FleetSample: Sendable {
    /// From the beginning.
    var time: Duration
    var connected: Int
    var totals: FleetLedger.Totals
    var memory: Int
}

/// The seconds of a run: when there are too many, every second one goes.
struct Samples: Sendable {
    static let limit = 600
    private(set) var all: [FleetSample] = []
    /// The memory when all devices were first connected.
    private(set) var peakConnected: (devices: Int, memory: Int) = (0, 0)
    private var stride = 1
    private var skipped = 0

    mutating func add(_ sample: FleetSample) {
        if sample.connected > peakConnected.devices { peakConnected = (sample.connected, sample.memory) }
        skipped += 1
        guard skipped >= stride else { return }
        skipped = 0
        if all.count >= Self.limit {
            all = all.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            stride *= 2
        }
        all.append(sample)
    }
}
