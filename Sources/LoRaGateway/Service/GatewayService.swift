import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceSimulator
import DeviceTransport
import DeviceWeb
import Glibc
import Logging
import NIOCore
import NIOPosix
import UnixSignals

/// A running gateway: radio, up-links, page, and what systemd wants to know.
struct GatewayService: Sendable {
    private let options: GatewayServiceOptions
    private let output: EventOutput<ServiceEvent>

    init(options: GatewayServiceOptions, write: @escaping @Sendable (String) -> Void = { StandardOutput.write($0) }) {
        self.options = options
        output = EventOutput(isJSON: options.isJSON, write: write)
    }

    /// Serves until a signal or the end of `--for`.
    ///
    /// - Parameter giveUp: called when the last lines could not be printed within two seconds.
    func run(giveUp: @escaping @Sendable () -> Void = {}) async throws(DeviceError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let printing = Task { [output] in await output.run() }
        var failure: DeviceError?
        do throws(DeviceError) { try await serve(on: group.next()) } catch { failure = error }
        output.finish()
        let patience = Task {
            try await Task.sleep(for: .seconds(2))
            giveUp()
        }
        await printing.value
        patience.cancel()
        try? await group.shutdownGracefully()
        if let failure { throw failure }
    }

    private func serve(on eventLoop: any EventLoop) async throws(DeviceError) {
        let notifier = SystemdNotifier()
        let stateDirectory = UserState.directory { name in getenv(name).map { String(cString: $0) } }.map {
            "\($0)/lora"
        }
        // The simulation drives nothing that two could not drive.
        let lock = try stateDirectory.flatMap { directory throws(DeviceError) in
            options.source == .builtIn ? nil : try ProcessLock(directory: directory)
        }
        defer { withExtendedLifetime(lock) {} }
        var configuration = try ServiceSettings(options).configuration()
        let scripts = try scripts(configuration)
        let clock = DeviceClock(ContinuousClock())
        let server = options.source == .builtIn ? try await BuiltInServer.start(options, clock, eventLoop) : nil
        if let server { configuration.uplinks = [server.uplink(options.builtInProtocol)] }
        let start = clock.now
        let core = try await GatewayParts(
            options: options, configuration: configuration, stateDirectory: stateDirectory, clock: clock,
            eventLoop: eventLoop, report: report
        ).make()
        let region = try? await eventLoop.submit { core.bound.value.desk.queue.settings.region?.name }.get()
        output.report(
            .started(core.eui, radio: core.host.radio.name, region: region ?? nil, files: configuration.files))

        if let scripts {
            try await scripts.start()
            let names = scripts.host.apps.map(\.name).joined(separator: ", ")
            output.report(.notice(names.isEmpty ? "No apps to run" : "Apps: \(names)"))
            try? await eventLoop.submit { core.bound.value.ask(scripts.hooks) }.get()
        }

        // The radio first: what it hears while names are looked up is not lost to up-links with a store.
        let radio = Task { [core] in
            await core.host.run(on: eventLoop) { batch in core.bound.value.received(batch) }
        }
        let uplinks = configuration.uplinks
        try? await eventLoop.flatSubmit { core.bound.value.use(uplinks) }.get()
        let page: HTTPListener?
        do throws(DeviceError) { page = try await startPage(core, configuration, scripts, eventLoop) } catch {
            radio.cancel()
            await radio.value
            await scripts?.stop()
            throw error
        }
        notifier.send("READY=1", "STATUS=\(configuration.uplinks.count) up-links")
        await wait(core, configuration, notifier, eventLoop)

        notifier.send("STOPPING=1")
        await page?.close()
        radio.cancel()
        await radio.value
        // What was heard before the radio stopped is handed over first, since the event loop keeps the order.
        try? await eventLoop.flatSubmit { core.bound.value.stop() }.get()
        await scripts?.stop()
        if let server {
            output.report(.notice("Network server: \(await server.summary)"))
            await server.close()
        }
        let (frames, downlinks) =
            (try? await eventLoop.submit {
                (core.bound.value.sieve.counters.passed, core.bound.value.desk.queue.counters.emitted)
            }.get()) ?? (0, 0)
        output.report(.ended(frames: frames, downlinks: downlinks, clock.now - start))
    }

    /// The scripts of the command line, else those of the settings; nil for none, which then cost nothing.
    private func scripts(_ configuration: GatewayConfiguration) throws(DeviceError) -> GatewayScripts? {
        let sources = options.scripts.isUsed ? options.scripts : configuration.scripts
        guard sources.isUsed else { return nil }
        return try GatewayScripts(sources) { [output] in output.report($0) }
    }

    private func report(_ events: [GatewayCore.Event]) {
        output.report(
            contentsOf: events.compactMap { event -> ServiceEvent? in
                if options.isQuiet, case .heard = event { return nil }
                return .core(event)
            })
    }

    private func startPage(
        _ core: GatewayHandle, _ configuration: GatewayConfiguration, _ scripts: GatewayScripts?,
        _ eventLoop: any EventLoop
    ) async throws(DeviceError) -> HTTPListener? {
        let wished = options.page ?? configuration.page
        guard let address = wished ?? (options.isSimulated ? ListenAddress(host: "127.0.0.1", port: 8090) : nil) else {
            return nil
        }
        guard address.isLoopback || options.isLAN else {
            throw DeviceError(
                .invalidArgument, "the page at \(address) is reachable from other machines",
                hint: "Add --lan, which protects it by a token")
        }
        let access = address.isLoopback ? nil : try AccessToken.load()
        if let warning = access?.warning { output.report(.notice(warning.printable)) }
        let routes = GatewayPages.routes(core, scripts)
        let policy = HTTPAccessPolicy(
            names: HostName.ownNames.union(configuration.pageNames.map { $0.lowercased() }), token: access?.value)
        let logger = Logger(label: "page") { _ in SwiftLogNoOpLogHandler() }
        var listener: HTTPListener?
        do throws(DeviceError) {
            listener = try await HTTPListener.start(
                on: address, eventLoop: eventLoop, routes: routes, access: policy, flag: "--page", logger: logger)
        } catch {
            // The usual place is only a suggestion: another simulation may have it.
            guard wished == nil, error.code == .busy else { throw error }
            listener = try await HTTPListener.start(
                on: ListenAddress(host: "127.0.0.1", port: 0), eventLoop: eventLoop, routes: routes, access: policy,
                logger: logger)
        }
        let query = access.map { "?token=\($0.value)" } ?? ""
        for place in listener?.address.reachable ?? [] { output.report(.page("http://\(place)/\(query)")) }
        return listener
    }

    /// Until the end; reads the settings again at each SIGHUP, and feeds systemd's watchdog while the radio lives.
    private func wait(
        _ core: GatewayHandle, _ configuration: GatewayConfiguration, _ notifier: SystemdNotifier,
        _ eventLoop: any EventLoop
    ) async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await signal in await UnixSignalsSequence(trapping: .sighup, .sigint, .sigterm) {
                    guard signal == .sighup else { break }
                    notifier.send("RELOADING=1")
                    await reload(core, startedWith: configuration, eventLoop)
                    notifier.send("READY=1")
                }
                return true
            }
            if let duration = options.duration {
                group.addTask {
                    try? await Task.sleep(for: duration)
                    return true
                }
            }
            group.addTask {
                await feed(core.host, notifier)
                return false
            }
            for await isEnd in group where isEnd { break }
            group.cancelAll()
        }
    }

    /// Takes the settings as they are now; wrong ones change nothing.
    private func reload(
        _ core: GatewayHandle, startedWith used: GatewayConfiguration, _ eventLoop: any EventLoop
    ) async {
        guard options.source != .builtIn else { return }
        do throws(DeviceError) {
            let configuration = try ServiceSettings(options).configuration()
            let rules = RadioRules(configuration, radio: core.host.radio)
            try? await eventLoop.submit { core.bound.value.use(configuration, rules) }.get()
            try? await eventLoop.flatSubmit { core.bound.value.use(configuration.uplinks) }.get()
            output.report(.reloaded(problem: nil))
            let waiting = configuration.needingRestart(since: used, options)
            if !waiting.isEmpty {
                output.report(.notice("Changed, but used from the next start on: \(waiting.joined(separator: ", "))"))
            }
        } catch {
            output.report(.reloaded(problem: "The settings were not taken, the old ones stay: \(error)"))
        }
    }

    /// The watchdog is fed only while the radio's clock advances: a radio that no restart brings back ends the process.
    private func feed(_ host: RadioHost, _ notifier: SystemdNotifier) async {
        guard let interval = notifier.watchdog else { return }
        var last: MonotonicTime?
        while !Task.isCancelled {
            let advanced = host.status.advancedAt
            if advanced != last { notifier.send("WATCHDOG=1") }
            last = advanced
            // Soon after it has advanced, so that the time until the end is counted from there.
            try? await Task.sleep(for: min(interval / 3, .seconds(10)))
        }
    }
}
