import ClusterClient
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceSDK
import NIOCore

/// The device of the LED demo: its LEDs, switched through a broker and from here, by the public contract.
final class LEDDevice: Sendable {
    struct LEDState: Sendable {
        var id: Int
        var specification: LEDSpecification
        var led: LED
        /// The line's name on this board, for people: GPIO17, GPIO4_C2.
        var lineName: String

        init(id: Int, specification: LEDSpecification, led: LED, board: Board) {
            self.id = id
            self.specification = specification
            self.led = led
            let signal = led.line?.pin.flatMap { board.pin($0)?.signal }
            lineName = led.line?.name ?? signal ?? "\(specification.line)"
        }
    }

    let name: String
    let leds: [LEDState]
    let board: Board
    let isSimulated: Bool
    let client: SMQClient
    /// Whether pages are told of the node; not where it is always the same.
    private let showsCluster: Bool
    private let temperature = Locked<Int?>(nil)
    /// Held while a LED changes and pages are told, and while the LEDs are described to pages, so that what pages
    /// hear last is what the LEDs are. Everything that is done under it returns at once.
    private let switching = Locked(())
    /// What peers can cause as often as they like is told once a second.
    private enum WarningKind: Hashable, Sendable {
        case noCommand
        case unknownLED
        case cannotSwitch
        case refusedByScript
    }

    private let warnings = Locked(WarningLimiter<WarningKind>(every: .seconds(1)))
    private let clock = DeviceClock(ContinuousClock())
    /// Tells that pages missed an echo.
    private let lostEchoes = BoundedStream<Void>(limit: 1)
    private let report: @Sendable (DemoEvent) -> Void
    /// Where scripts are asked; without scripts nobody is.
    private let hooks: ScriptHooks
    /// What was pressed while scripts are to be asked, which takes a moment.
    private let presses = BoundedStream<(led: LEDState, source: String)>(limit: 64)

    init(
        name: String, leds: [LEDState], board: Board, isSimulated: Bool, client: SMQClient,
        hooks: ScriptHooks = ScriptHooks(), report: @escaping @Sendable (DemoEvent) -> Void
    ) {
        self.name = name
        self.leds = leds
        self.board = board
        self.isSimulated = isSimulated
        self.client = client
        let brokers = client.configuration.brokers
        showsCluster = brokers.count > 1 || brokers.contains { IPAddress($0.host) == nil }
        self.hooks = hooks
        self.report = report
    }

    /// Serves pages until the task is cancelled.
    func run() async {
        // The wishes are made before the client runs, so that they are part of every session from its beginning.
        let hellos = client.subscribe(to: LEDContract.displayTopic, limit: 256)
        let commands = client.subscribeToSelf(limit: 256)
        let watchers = client.observe(.topic(LEDContract.deviceTopic))
        let events = client.events()
        let reports = showsCluster ? client.subscribe(to: SMQNodeReport.topic, limit: 4) : nil
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in for await hello in hellos { await describe(to: .peer(hello.publisher)) } }
            group.addTask { [self] in
                // Not by `announce`, which would take the description and publish it in two steps.
                for await case .connected in events { await describe(to: .topic(LEDContract.deviceTopic)) }
            }
            group.addTask { [self] in
                for await _ in lostEchoes { await describe(to: .topic(LEDContract.deviceTopic)) }
            }
            if let reports { group.addTask { [self] in await followLinks(reports) } }
            group.addTask { [self] in for await command in commands { await obey(command) } }
            group.addTask { [self] in for await press in presses { await ask(press.led, nil, source: press.source) } }
            group.addTask { [self] in await followKept() }
            group.addTask { [report] in for await count in watchers { report(.watchers(count)) } }
        }
    }

    /// Switches a LED; pages follow by the echo.
    func toggle(_ id: Int, source: String) {
        guard let led = leds.first(where: { $0.id == id }) else { return }
        // Who presses a key does not wait for scripts.
        if hooks.isUsed(.led) { presses.send((led, source)) } else { set(led, nil, source: source) }
    }

    /// Switches a LED without asking scripts, for scripts; false where there is no such LED.
    func set(_ id: Int, _ isOn: Bool, source: String) -> Bool {
        guard let led = leds.first(where: { $0.id == id }) else { return false }
        set(led, isOn, source: source)
        return true
    }

    /// The first LED, which is `LED.setLed` of scripts: switches it, or with nil only tells.
    func indicator(_ isOn: Bool?) throws(DeviceError) -> Bool {
        guard let led = leds.first else { throw DeviceError(.unsupported, "this device has no LED") }
        if let isOn { set(led, isOn, source: "script") }
        return led.led.isLit
    }

    /// Asks scripts, and switches as they say.
    private func ask(_ led: LEDState, _ wanted: Bool?, source: String) async {
        guard hooks.isUsed(.led) else { return set(led, wanted, source: source) }
        let isOn = wanted ?? !led.led.isLit
        let question: JSONValue = .object([
            "id": .integer(Int64(led.id)), "name": .string(led.specification.name), "on": .bool(isOn),
            "source": .string(source),
        ])
        switch await hooks.decide(.led, question) {
        case .pass: set(led, isOn, source: source)
        case .change(let changed):
            set(led, changed.objectValue?["on"]?.boolValue ?? isOn, source: "\(source), changed by a script")
        case .refuse(let reason):
            warn(
                .refusedByScript, "A script refused to switch LED \(led.id) \(isOn ? "on" : "off"): \(reason.printable)"
            )
            echo(led)
        }
    }

    /// Tells pages how a LED is that stays as it was, so that their switch goes back.
    private func echo(_ led: LEDState) {
        switching.withLock { _ in
            try? client.publishNow(
                LEDContract.Switch(id: led.id, isOn: led.led.isLit).payload, to: .topic(LEDContract.deviceTopic),
                subtopic: LEDContract.ledSubtopic)
        }
    }

    /// Publishes a temperature in tenths of a degree.
    func setTemperature(_ tenths: Int) {
        let changed = temperature.withLock { old in
            defer { old = tenths }
            return old != tenths
        }
        guard changed else { return }
        // Without a broker nobody is there to see it, and the next description carries it.
        try? client.publishNow(
            LEDContract.temperaturePayload(tenths: tenths), to: .topic(LEDContract.temperatureTopic))
        report(.temperature(tenths: tenths))
    }

    private func obey(_ message: SMQMessage) async {
        let sender = message.publisher.id
        guard let command = LEDContract.Switch(message.payload) else {
            let size = message.payload.readableBytes
            return warn(.noCommand, "Ignored a message of \(size) bytes from peer \(sender) that is no LED command.")
        }
        guard let led = leds.first(where: { $0.id == command.id }) else {
            return warn(
                .unknownLED,
                "Ignored a command from peer \(sender) for LED \(command.id): this device has 1 to \(leds.count).")
        }
        await ask(led, command.isOn, source: "page")
    }

    /// Switches, or with nil toggles, and tells the pages, as one step.
    private func set(_ led: LEDState, _ wanted: Bool?, source: String) {
        switching.withLock { _ in
            let isOn = wanted ?? !led.led.isLit
            do throws(DeviceError) {
                if isOn { try led.led.on() } else { try led.led.off() }
            } catch {
                return warn(.cannotSwitch, "LED \(led.id) cannot be switched: \(error)")
            }
            // Pages first: whatever becomes of the output here, they follow.
            do throws(DeviceError) {
                try client.publishNow(
                    LEDContract.Switch(id: led.id, isOn: isOn).payload, to: .topic(LEDContract.deviceTopic),
                    subtopic: LEDContract.ledSubtopic)
            } catch {
                // Without a session the next one begins with the description; too much waiting needs one as well.
                if error.code == .limitExceeded { lostEchoes.send(()) }
            }
            report(.led(id: led.id, name: led.specification.name, isOn: isOn, source: source))
        }
    }

    /// Sends the description as it is when it is queued.
    private func describe(to destination: SMQDestination) async {
        guard let changes = await announcement() else { return }
        while !Task.isCancelled {
            do throws(DeviceError) {
                return try switching.withLock { _ throws(DeviceError) in
                    try client.publishNow(
                        changed(info, by: changes), to: destination, subtopic: LEDContract.infoSubtopic)
                }
            } catch {
                // A page or a session that has gone since is no error of ours.
                guard error.code == .limitExceeded else { return }
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// What scripts want to be different in the description; nil when they want none sent.
    private func announcement() async -> JSONObject? {
        guard hooks.isUsed(.announce), let value = try? JSONValue(parsing: info.readableBytesView) else { return [:] }
        switch await hooks.decide(.announce, value) {
        case .pass: return [:]
        case .change(let changed): return changed.objectValue ?? [:]
        case .refuse(let reason):
            warn(.refusedByScript, "A script refused to announce the device: \(reason.printable)")
            return nil
        }
    }

    /// A description with the changes of scripts, but with the LEDs as they are.
    private func changed(_ info: ByteBuffer, by changes: JSONObject) -> ByteBuffer {
        guard !changes.isEmpty, case .object(var object)? = try? JSONValue(parsing: info.readableBytesView) else {
            return info
        }
        for (key, value) in changes where key != "leds" { object[key] = value }
        return ByteBuffer(string: JSONValue.object(object).description)
    }

    /// Warns of what peers can cause as often as they like.
    private func warn(_ kind: WarningKind, _ text: String) {
        guard let held = warnings.withLock({ $0.admit(kind, at: clock.now) }) else { return }
        report(.warning(held == 0 ? text : "\(text) (\(held) more like this were left out.)"))
    }

    private var kept: (waiting: UInt64, dropped: UInt64)? {
        guard client.configuration.outbox != nil else { return nil }
        let counters = client.deliveryCounters
        return (counters.messagesWaiting, counters.messagesGivenUp)
    }

    /// Pages show what waits and what was dropped: told anew when it has changed, but seldom.
    private func followKept() async {
        guard showsCluster, var last = kept else { return }
        while (try? await Task.sleep(for: .seconds(5))) != nil {
            guard let now = kept, now != last else { continue }
            last = now
            await describe(to: .topic(LEDContract.deviceTopic))
        }
    }

    /// Pages at a node whose link was lost have seen the device go, and one that came before the link never saw it; most
    /// say Hello only once. So it is described anew when a node is linked that was not; the broker tells once a second.
    private func followLinks(_ reports: SMQSubscription) async {
        var linked = (session: UInt64(0), places: Set<SMQNodeReport.Place>())
        for await message in reports where message.publisher.id == SMQNodeReport.publisher {
            let session = message.publisher.session
            let known = session == linked.session ? linked.places : []
            linked = (session, Set(SMQNodeReport.read(message.payload).map(\.place).filter { $0 != .own }))
            guard !linked.places.isSubset(of: known) else { continue }
            await describe(to: .topic(LEDContract.deviceTopic))
        }
    }

    /// The description as it is now.
    private var info: ByteBuffer {
        let items = leds.map { state in
            DeviceInfo.Item(
                id: state.id, name: state.specification.name, color: state.specification.color.rawValue,
                isOn: state.led.isLit, pin: state.led.line?.pin, line: state.lineName)
        }
        return DeviceInfo(
            address: client.address, name: name, leds: items, temperature: temperature.withLock { $0 }, board: board,
            isSimulated: isSimulated, cluster: showsCluster ? client.currentStatus : nil,
            kept: kept
        ).payload
    }
}
