import ClusterClient
import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceProtocols
import DeviceSDK
import DeviceSimulator
import DeviceTransport
import Glibc
import Logging
import NIOCore
import NIOPosix
import UnixSignals

/// The demo: board, device, terminal and, without another broker, broker and page.
struct LEDDemo: Sendable {
    let options: LEDDemoOptions
    let output: DemoOutput
    private let logger: Logger
    private let log: OutputWriter

    init(options: LEDDemoOptions) {
        self.options = options
        // A prompt and a picture that is redrawn do not go together.
        let terminal = options.apps.hasPrompt ? DemoOutput.Style.prompt : .screen
        output = DemoOutput(
            style: options.isJSON ? .json : StandardOutput.isTerminal ? terminal : .lines, events: options.events)
        let log = OutputWriter(file: STDERR_FILENO) { "\($0) lines of the log dropped" }
        var logger = Logger(label: "LEDDemo") { DemoLogHandler(label: $0, writer: log) }
        logger.logLevel = options.isVerbose ? .debug : .critical
        self.logger = logger
        self.log = log
    }

    /// Runs until it is told to end.
    ///
    /// - Returns: 0, or 69 when no broker was ever connected.
    func run() async throws(DeviceError) -> Int32 {
        // Who does not read on any more must not end the program before the LEDs are as they should be.
        Glibc.signal(SIGPIPE, SIG_IGN)
        do throws(DeviceError) {
            let status = try await runDevice()
            await end()
            return status
        } catch {
            await end()
            throw error
        }
    }

    private func end() async {
        await output.end()
        await log.drain(atMost: .milliseconds(200))
    }

    private func runDevice() async throws(DeviceError) -> Int32 {
        let board = try DemoBoard.choose(options)
        try options.checkLines(on: board.backend)
        let leds = try openLEDs(on: board.backend)
        defer { for state in leds { state.led.close(options.onExit) } }
        if let note = board.note { output.note(note) }
        let button = try options.button.map { spec throws(DeviceError) in
            try Button(spec.line, on: board.backend, consumer: "LEDDemo button")
        }
        defer { button?.close() }

        // One thread for everything that waits for the network.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let known = Locked<SMQClient?>(nil)
        let knownApps = Locked<DemoApps?>(nil)
        let changeToken = try changeToken()
        let pages = options.apps.isUsed ? AppPages(find: { knownApps.withLock { $0 } }, changeToken: changeToken) : nil
        let hub =
            options.apps.isUsed && options.brokers.isEmpty
            ? ScriptHub(secret: try OpenSSLCrypto().randomBytes(16)) : nil
        let embedded = try await startBroker(eventLoop, apps: pages, hub: hub) { known.withLock { $0 } }
        let configuration = try clientConfiguration(board, embedded)
        let client = SMQClient(configuration, eventLoop: eventLoop, logger: logger)
        known.withLock { $0 = client }
        let monitor = try await startMonitor(client, eventLoop, apps: pages)
        let hooks = ScriptHooks()
        let device = LEDDevice(
            name: options.name ?? "LEDDemo on \(HostName.current)", leds: leds, board: board.backend.board,
            isSimulated: board.simulated != nil, client: client, hooks: hooks, report: output.report)
        let apps =
            options.apps.isUsed
            ? try DemoApps(
                options.apps, board: board, device: device, hooks: hooks, standard: configuration,
                own: embedded == nil ? nil : configuration, hub: hub, eventLoop: eventLoop, logger: logger,
                report: output.report) : nil
        knownApps.withLock { $0 = apps }
        let terminal = options.apps.hasPrompt ? nil : TerminalInput()
        announce(board, leds, embedded, hasKeys: terminal != nil)
        if apps != nil { announceApps(embedded, monitor, changeToken) }
        let status = await serve(device, board, button, terminal, apps)
        await apps?.stop()
        await monitor?.stop()
        await embedded?.stop()
        known.withLock { $0 = nil }
        knownApps.withLock { $0 = nil }
        try? await group.shutdownGracefully()
        return try status.get()
    }

    // MARK: Parts

    private func openLEDs(on backend: any GPIOBackend) throws(DeviceError) -> [LEDDevice.LEDState] {
        var states: [LEDDevice.LEDState] = []
        do throws(DeviceError) {
            for (index, specification) in options.leds.enumerated() {
                let led = try LED(
                    specification.line, on: backend, activeLow: specification.isActiveLow, release: options.onExit,
                    consumer: "LEDDemo \(specification.name)")
                states.append(
                    LEDDevice.LEDState(
                        id: index + 1, specification: specification, led: led, board: backend.board))
            }
            return states
        } catch {
            for state in states { state.led.close(options.onExit) }
            throw error
        }
    }

    private func startMonitor(
        _ client: SMQClient, _ eventLoop: any EventLoop, apps: AppPages?
    ) async throws(DeviceError) -> Monitor? {
        guard let address = options.monitor else { return nil }
        let monitor = try await Monitor.start(
            on: address, client: client, apps: apps, eventLoop: eventLoop, logger: logger)
        output.report(.note("Health and metrics: \(monitor.url)"))
        return monitor
    }

    private func startBroker(
        _ eventLoop: any EventLoop, apps: AppPages?, hub: ScriptHub?, device: @escaping @Sendable () -> SMQClient?
    ) async throws(DeviceError) -> EmbeddedBroker? {
        guard options.brokers.isEmpty else { return nil }
        var access = HTTPAccessPolicy(names: HostName.ownNames, isOpen: options.isOpen)
        if options.isLAN, !options.isOpen {
            let token = try AccessToken.load()
            access.token = token.value
            if let warning = token.warning { output.report(.warning(warning)) }
        }
        let tls = try options.tlsIdentity.map { identity throws(DeviceError) in
            try TLSServerContext(TLSServerConfiguration(identity: identity), logger: logger)
        }
        return try await EmbeddedBroker.start(
            on: options.listen, defaultHost: options.isLAN ? "0.0.0.0" : "127.0.0.1", access: access, tls: tls,
            apps: apps, hub: hub, device: device, eventLoop: eventLoop, logger: logger)
    }

    private func clientConfiguration(
        _ board: DemoBoard, _ embedded: EmbeddedBroker?
    ) throws(DeviceError) -> SMQClientConfiguration {
        let brokers = embedded.map { [$0.ownURL] } ?? options.brokers
        var configuration = SMQClientConfiguration(
            brokers: brokers, uid: options.uid ?? MachineIdentity.uid(isSimulated: board.simulated != nil),
            profile: options.profile)
        configuration.keepsStandby = options.keepsStandby
        configuration.service = options.service
        if let policy = options.policy { configuration.nodePolicy = policy.policy(client: configuration.uid) }
        if options.dns != nil || options.hostsFile != nil {
            var resolver = options.dns ?? ResolverConfiguration()
            if let file = options.hostsFile { resolver.hostsFile = try ResolverConfiguration.hostsFile(setting: file) }
            configuration.resolver = try NameResolver(resolver)
        }
        if options.heartbeat != nil {
            guard let state = UserState.directory(Environment.value) else {
                throw DeviceError(
                    .configuration, "--heartbeat keeps messages on disk, and neither STATE_DIRECTORY nor HOME is set",
                    hint: "Set STATE_DIRECTORY to a directory of this program")
            }
            configuration.outbox = SMQOutboxConfiguration(directory: state + "/heartbeat")
        }
        configuration.tls.identity = options.tlsIdentity
        if let file = options.tlsAuthorities { configuration.tls.trustRoots = .file(file) }
        configuration.information = options.name ?? HostName.current
        // The public demo's password; its broker ignores it. Another one comes by DEVICE_PASSWORD.
        let password = Environment.value("DEVICE_PASSWORD") ?? "qwerty"
        configuration.credentials = { seed, _ in
            try LEDContract.credentials(password: password, seed: seed, sha1: OpenSSLCrypto().sha1)
        }
        return configuration
    }

    private func announce(
        _ board: DemoBoard, _ leds: [LEDDevice.LEDState], _ embedded: EmbeddedBroker?, hasKeys: Bool
    ) {
        output.update { screen in
            let model = board.backend.board.model
            screen.title = "\(model)\(board.simulated == nil ? "" : " (simulated)")"
            screen.leds = leds.map { state in
                let pin = state.led.line?.pin.map { ", pin \($0)" } ?? ""
                return TerminalScreen.LEDRow(
                    id: state.id, name: state.specification.name, color: state.specification.color.rawValue,
                    line: state.lineName + pin, isOn: false)
            }
            guard hasKeys else { return }
            screen.keys = "1-\(min(9, leds.count)) toggle a LED"
            if board.simulated != nil { screen.keys += "   ↑ ↓ temperature" }
            if board.simulated != nil, options.button != nil { screen.keys += "   b button" }
            screen.keys += "   q quit"
        }
        output.report(
            .started(
                board: board.backend.board.name, model: board.backend.board.model,
                isSimulated: board.simulated != nil, leds: leds.count))
        if let page = options.page { output.report(.page(page)) }
        guard let embedded else { return }
        let query = embedded.token.map { "?token=\($0)" } ?? ""
        let scheme = embedded.listener.isSecure ? "https" : "http"
        let pages = embedded.listener.address.reachable.map { "\(scheme)://\($0)/\(query)" }
        // For a phone's camera; the address also stands there in letters.
        if options.isLAN, output.style == .screen, let page = pages.first,
            let code = try? QRCode(text: page, errorCorrection: .low)
        {
            output.show(code.terminalLines())
        }
        for page in pages { output.report(.page(page)) }
        if options.isOpen {
            output.report(
                .warning(
                    "Open: anybody on this network can switch these LEDs, and so can any web page that is open there."))
        }
    }

    /// The secret of changes to apps, a new one at each start; nil where nothing may be changed.
    private func changeToken() throws(DeviceError) -> String? {
        guard options.apps.isUsed else { return nil }
        let isLocal = options.brokers.isEmpty ? !options.isLAN : options.monitor?.isLoopback ?? true
        return isLocal || options.apps.isOnLAN ? try OpenSSLCrypto().accessToken() : nil
    }

    private func announceApps(_ embedded: EmbeddedBroker?, _ monitor: Monitor?, _ changeToken: String?) {
        if let embedded {
            let query = embedded.token.map { "?token=\($0)" } ?? ""
            let scheme = embedded.listener.isSecure ? "https" : "http"
            for address in embedded.listener.address.reachable {
                output.report(.note("Apps page: \(scheme)://\(address)/apps\(query)"))
            }
        } else if let monitor {
            let query = monitor.token.map { "?token=\($0)" } ?? ""
            output.report(.note("Apps page: http://\(monitor.listener.address)/apps\(query)"))
        } else {
            return
        }
        output.report(
            .note(changeToken.map { "Token for changes to apps: \($0)" } ?? "Apps cannot be changed from the page"))
    }

    // MARK: Running

    /// What a part of the demo says when it returns.
    private enum Outcome {
        /// It had nothing more to do; the others go on.
        case idle
        /// The demo ends as it should, because of this.
        case end(String)
        /// Who read the output has had enough.
        case readerGone
        /// The demo cannot go on.
        case failure(DeviceError)
    }

    private func serve(
        _ device: LEDDevice, _ board: DemoBoard, _ button: Button?, _ terminal: TerminalInput?, _ apps: DemoApps?
    ) async -> Result<Int32, DeviceError> {
        let temperature = DemoTemperature(isSimulated: board.simulated != nil)
        let events = device.client.events()
        let last = await withTaskGroup(of: Outcome.self) { group in
            group.addTask {
                do throws(DeviceError) { try await device.client.run() } catch { return .failure(error) }
                return .idle
            }
            group.addTask {
                await device.run()
                return .idle
            }
            group.addTask { [output] in
                for await event in events {
                    output.report(DemoEvent(event))
                    if case .moved(let move) = event { apps?.hooks.tell(.move, move.forScripts) }
                }
                return .idle
            }
            if let apps { addApps(apps, to: &group) }
            group.addTask { [output] in
                await temperature.follow(report: device.setTemperature, warn: { output.report(.warning($0)) })
                return .idle
            }
            if let rate = options.heartbeat {
                let heartbeat = Heartbeat(client: device.client, rate: rate) { [output] in output.report(.warning($0)) }
                group.addTask {
                    await heartbeat.publish()
                    return .idle
                }
                group.addTask { [output] in
                    await heartbeat.follow(report: output.report)
                    return .idle
                }
            }
            if let button, let specification = options.button {
                group.addTask {
                    for await _ in button.presses() { device.toggle(specification.led, source: "button") }
                    return .idle
                }
            }
            if let terminal {
                group.addTask {
                    await terminal.run()
                    return .idle
                }
                group.addTask { [output] in
                    for await _ in terminal.returns { output.redraw(forget: true) }
                    return .idle
                }
                group.addTask { [options] in
                    for await key in terminal.keys {
                        if key == .character("q") { return .end("q was pressed") }
                        press(key, device, temperature, board, options)
                    }
                    return .idle
                }
            }
            group.addTask { [output] in
                for await _ in output.readerGone { return .readerGone }
                return .idle
            }
            if output.style == .screen || terminal != nil {
                group.addTask { [output] in
                    for await _ in await UnixSignalsSequence(trapping: .sigcont) {
                        terminal?.takeKeys()
                        output.redraw(forget: true)
                    }
                    return .idle
                }
                group.addTask { [output] in
                    for await _ in await UnixSignalsSequence(trapping: .sigwinch) { output.redraw(forget: false) }
                    return .idle
                }
            }
            group.addTask {
                for await signal in await UnixSignalsSequence(trapping: Self.endingSignals) {
                    return .end("\(signal)")
                }
                return .idle
            }
            if let duration = options.duration {
                group.addTask {
                    try? await Task.sleep(for: duration)
                    return .end("the time of --for is over")
                }
            }
            defer { group.cancelAll() }
            for await outcome in group {
                if case .idle = outcome { continue }
                return outcome
            }
            return .idle
        }
        switch last {
        case .failure(var error):
            // Whatever else a broker refuses has another hint.
            if error.code == .refused, error.message.contains("same unique id") {
                error.hint = "Give each device its own --uid"
            }
            return .failure(error)
        case .readerGone: return .success(0)
        case .end(let reason): output.report(.ended(reason: reason))
        case .idle: break
        }
        return .success(output.wasEverConnected ? 0 : 69)
    }

    private func addApps(_ apps: DemoApps, to group: inout TaskGroup<Outcome>) {
        do throws(DeviceError) { try apps.start() } catch {
            group.addTask { .failure(error) }
            return
        }
        group.addTask {
            await apps.followPins()
            return .idle
        }
        group.addTask {
            for await _ in apps.restarts { return .end("a script asked for a restart") }
            return .idle
        }
        if options.apps.hasPrompt, let first = apps.host.apps.first {
            group.addTask {
                await AppPrompt(first).run()
                return .end("the input ended")
            }
        }
    }

    /// Ctrl-C, a service manager's stop, and the end of the terminal, unless `nohup` asked to survive it.
    static var endingSignals: [UnixSignal] {
        var hangUp = sigaction()
        sigaction(SIGHUP, nil, &hangUp)
        let isIgnored = unsafeBitCast(hangUp.__sigaction_handler.sa_handler, to: Int.self) == 1
        return isIgnored ? [.sigint, .sigterm] : [.sigint, .sigterm, .sighup]
    }

    private func press(
        _ key: TerminalKey, _ device: LEDDevice, _ temperature: DemoTemperature, _ board: DemoBoard,
        _ options: LEDDemoOptions
    ) {
        switch key {
        case .character("b"):
            guard let line = options.button?.line, let simulated = board.simulated else { return }
            do throws(DeviceError) {
                try simulated.press(line)
            } catch {
                return output.report(.warning("\(error)"))
            }
            // Let go again after the time of a short press; it was pressed, so it can be released.
            Task {
                try? await Task.sleep(for: .milliseconds(60))
                try? simulated.release(line)
            }
        case .character(let character):
            if let id = character.wholeNumberValue, id > 0 { device.toggle(id, source: "terminal") }
        case .up, .right: device.setTemperature(temperature.change(by: 5))
        case .down, .left: device.setTemperature(temperature.change(by: -5))
        }
    }
}

extension DemoEvent {
    init(_ event: SMQClientEvent) {
        switch event {
        case .connected(let node, let address, _): self = .connected(node: node, address: address)
        case .disconnected(let node, let reason, let hint, let retryIn, let wasConnected):
            self = .disconnected(
                node: node, reason: reason, hint: hint, retryIn: retryIn, wasConnected: wasConnected)
        case .moved(let move):
            self = .moved(
                from: move.from, to: move.to, reason: move.reason, gap: move.gap,
                silence: move.cause == .silence ? move.silence : .zero)
        case .denied(let name): self = .warning("The broker does not permit \(name).")
        case .dropped(let count, let reason): self = .warning("\(count) kept messages were given up (\(reason)).")
        case .outboxFailed(let error): self = .warning(error.description)
        case .outboxRecovered: self = .note("The outbox takes messages again.")
        case .notice(let text): self = .note(text)
        }
    }
}

extension SMQMove {
    /// What scripts are told of a move.
    fileprivate var forScripts: JSONValue {
        .object([
            "from": .string(from), "to": .string(to), "cause": .string(cause.rawValue), "reason": .string(reason),
            "gap": .integer(gap.wholeNanoseconds / 1_000_000),
        ])
    }
}
