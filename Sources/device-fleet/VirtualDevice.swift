import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceSimulator
import NIOCore

/// A device: a simulated board, the client that real devices have, and no task or timer of its own beyond the client's.
///
/// Not Sendable: everything happens on its event loop.
final class VirtualDevice {
    let number: Int
    let client: SMQClient
    private let eventLoop: any EventLoop
    private let ledger: FleetLedger
    private let delivery: FleetDelivery
    private let outputs: (any OutputRequest)?
    private let board: SimulatedBoard
    private var button: (any InputRequest)?
    private var commands: SMQSubscription?
    private var sequence: UInt32 = 0
    private var running: Task<Void, Never>?

    /// The board of all devices, with its LEDs on the pins that the LED demo uses.
    static let ledPins: [LineAddress] = ["pin11", "pin13", "pin15", "pin16"]
    static let buttonPin: LineAddress = "pin18"

    init(
        _ number: Int, client: SMQClient, eventLoop: any EventLoop, board: SimulatedBoard, scenario: FleetScenario,
        delivery: FleetDelivery, ledger: FleetLedger
    ) throws(DeviceError) {
        self.number = number
        self.client = client
        self.eventLoop = eventLoop
        self.board = board
        self.ledger = ledger
        self.delivery = delivery
        guard scenario.hasLEDs else {
            outputs = nil
            return
        }
        var lines: [GPIOLine] = []
        for pin in Self.ledPins { lines.append(try board.find(pin)) }
        outputs = try board.requestOutputs(lines, OutputSettings(consumer: "device-fleet"))
    }

    /// Switches the device on.
    func start(at now: MonotonicTime) {
        guard running == nil else { return }
        ledger.arrived(at: now)
        if outputs != nil {
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            commands = client.subscribe(to: nil) { messages in bound.value.obey(messages) }
        }
        let isFirst = Locked(true)
        let (run, device, ledger) = (ledger.run, UInt32(number), ledger)
        // Made at the beginning of each session, on the event loop.
        client.announce(to: FleetTopic.hello) {
            let time = FleetClock.now
            let first = isFirst.withLock { first in
                defer { first = false }
                return first
            }
            ledger.sessionBegan(arrived: first ? now : nil, at: time)
            return FleetMessage(.hello, run: run, device: device, sequence: 0, time: time).payload
        }
        running = Task { [client] in
            do throws(DeviceError) { try await client.run() } catch { ledger.ended(error) }
        }
    }

    /// Ends the client; returns the task that ends when it has.
    func stop() -> Task<Void, Never>? {
        button?.close()
        button = nil
        running?.cancel()
        return running
    }

    /// Publishes a reading.
    func read(_ kind: ReadingKind, _ value: Int16) {
        let kindOfMessage: FleetMessage.Kind =
            switch kind {
            case .temperature: .temperature
            case .humidity: .humidity
            case .light: .light
            }
        publish(kindOfMessage, to: kind.topic, value, isKept: true)
    }

    /// The button goes down, the device reads its line, and the button comes up again.
    func press() {
        do throws(DeviceError) {
            let button = try openButton()
            try board.press(Self.buttonPin)
            let isPressed = try button.values() & 1 == 1
            try board.release(Self.buttonPin)
            guard isPressed else { return }
            ledger.pressed()
            publish(.press, to: FleetTopic.button, 1, isKept: false)
        } catch { ledger.published(isAccepted: false) }
    }

    private func openButton() throws(DeviceError) -> any InputRequest {
        if let button { return button }
        // Level, not edges: nothing has to wait for them.
        let new = try board.requestInputs(
            [try board.find(Self.buttonPin)],
            InputSettings(consumer: "device-fleet", activeLow: 1, bias: .pullUp, reportsEdges: false, bufferSize: 1))
        button = new
        return new
    }

    /// Switches LEDs as told, and tells what they are now.
    private func obey(_ messages: [SMQMessage]) {
        guard let outputs else { return }
        for message in messages {
            guard let command = LEDContract.Switch(message.payload), (1...outputs.lines.count).contains(command.id)
            else { continue }
            let bit = UInt64(1) << UInt64(command.id - 1)
            guard (try? outputs.set(command.isOn ? bit : 0, mask: bit)) != nil else { continue }
            let value = Int16(command.id << 8 | (outputs.values & bit != 0 ? 1 : 0))
            publish(.echo, to: FleetTopic.led, value, isKept: false)
        }
    }

    /// - Parameter isKept: whether the fleet's delivery holds for it. Commands, their echoes and presses are always live.
    private func publish(_ kind: FleetMessage.Kind, to topic: String, _ value: Int16, isKept: Bool) {
        let message = FleetMessage(
            kind, run: ledger.run, device: UInt32(number), sequence: sequence + 1, time: FleetClock.now, value: value)
        guard isKept, delivery != .live else {
            do throws(DeviceError) {
                try client.publishNow(message.payload, to: .topic(topic))
                sequence += 1
                ledger.published(isAccepted: true)
            } catch {
                ledger.published(isAccepted: false)
            }
            return
        }
        // A number that is then refused stays unused, which counts for nothing.
        sequence += 1
        let level: SMQDeliveryLevel = delivery == .broker ? .broker : .endToEnd
        Task { [client, ledger] in
            let id = try? await client.publish(message.payload, to: .topic(topic), delivery: .log(level: level))
            ledger.published(isAccepted: id != nil)
        }
    }
}
