import ClusterClient
import DeviceCore
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
    private let temperature = Locked<Int?>(nil)
    private let report: @Sendable (DemoEvent) -> Void

    init(
        name: String, leds: [LEDState], board: Board, isSimulated: Bool, client: SMQClient,
        report: @escaping @Sendable (DemoEvent) -> Void
    ) {
        self.name = name
        self.leds = leds
        self.board = board
        self.isSimulated = isSimulated
        self.client = client
        self.report = report
    }

    /// Serves pages until the task is cancelled.
    func run() async {
        // The wishes are made before the client runs, so that they are part of every session from its beginning.
        let hellos = client.subscribe(to: LEDContract.displayTopic, limit: 256)
        let commands = client.subscribeToSelf(limit: 256)
        let watchers = client.observe(.topic(LEDContract.deviceTopic))
        client.announce(to: LEDContract.deviceTopic, subtopic: LEDContract.infoSubtopic) { [self] in info }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                for await hello in hellos {
                    // A page that has gone since is no error of ours.
                    try? await client.publish(info, to: .peer(hello.publisher), subtopic: LEDContract.infoSubtopic)
                }
            }
            group.addTask { [self] in for await command in commands { obey(command) } }
            group.addTask { [report] in for await count in watchers { report(.watchers(count)) } }
        }
    }

    /// Switches a LED; pages follow by the echo.
    func toggle(_ id: Int, source: String) {
        guard let led = leds.first(where: { $0.id == id }) else { return }
        set(led, !led.led.isLit, source: source)
    }

    /// Publishes a temperature in tenths of a degree.
    func setTemperature(_ tenths: Int) {
        let changed = temperature.withLock { old in
            defer { old = tenths }
            return old != tenths
        }
        guard changed else { return }
        report(.temperature(tenths: tenths))
        // Without a broker nobody is there to see it, and the next description carries it.
        try? client.publishNow(
            LEDContract.temperaturePayload(tenths: tenths), to: .topic(LEDContract.temperatureTopic))
    }

    private func obey(_ message: SMQMessage) {
        guard let command = LEDContract.Switch(message.payload) else {
            let size = message.payload.readableBytes
            return report(.warning("Ignored a message of \(size) bytes that is no LED command."))
        }
        guard let led = leds.first(where: { $0.id == command.id }) else {
            return report(.warning("Ignored a command for LED \(command.id): this device has 1 to \(leds.count)."))
        }
        set(led, command.isOn, source: "page")
    }

    private func set(_ led: LEDState, _ isOn: Bool, source: String) {
        do throws(DeviceError) {
            if isOn { try led.led.on() } else { try led.led.off() }
        } catch {
            return report(.warning("LED \(led.id) cannot be switched: \(error)"))
        }
        report(.led(id: led.id, name: led.specification.name, isOn: isOn, source: source))
        try? client.publishNow(
            LEDContract.Switch(id: led.id, isOn: isOn).payload, to: .topic(LEDContract.deviceTopic),
            subtopic: LEDContract.ledSubtopic)
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
            isSimulated: isSimulated
        ).payload
    }
}
