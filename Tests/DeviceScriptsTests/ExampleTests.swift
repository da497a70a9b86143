import ClusterClient
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceScripts
import DeviceSimulator
import NIOCore
import TestSupport
import Testing

/// Every example of Examples/lua on the simulated board.
@Suite(.timeLimit(.minutes(5))) struct ExampleTests {
    @Test func blinkBlinks() async throws {
        let rig = ScriptRig()
        let app = try await rig.example("blink.xlua")
        for _ in 0..<2 {
            try await rig.level("GPIO4", is: true)
            try await rig.level("GPIO4", is: false)
        }
        await rig.host.remove(app)
        #expect(app.statistics.recentErrors.isEmpty)
        #expect(rig.scripts.usedPins.isEmpty)
    }

    @Test func buttonSwitchesTheLED() async throws {
        let rig = ScriptRig()
        try await rig.example("button.xlua")
        for isOn in [true, false, true] {
            // Longer apart than the contact bounces.
            try await Task.sleep(for: .milliseconds(60))
            try rig.board.press("GPIO24")
            try rig.board.release("GPIO24")
            try await rig.level("GPIO16", is: isOn)
        }
    }

    @Test func fadeReachesBothEnds() async throws {
        let rig = ScriptRig()
        let app = try await rig.example("fade.xlua")
        // Both ends of a fade are constant levels; between them the line switches all the time.
        try await eventually("the line switches") {
            rig.board.changes.filter { $0.line.name == "GPIO18" }.count > 50
        }
        #expect(app.statistics.recentErrors.isEmpty)
    }

    @Test func servoGivesPulsesOfOneToTwoMilliseconds() async throws {
        let clock = ManualClock()
        let rig = ScriptRig(clock: clock)
        let app = try await rig.example("servo.xlua")
        for _ in 0..<1000 {
            await clock.waitForSleepers()
            clock.advance(by: .microseconds(50))
        }
        let changes = rig.board.changes.filter { $0.line.name == "GPIO13" }
        let pulses = zip(changes, changes.dropFirst()).filter { $0.0.isHigh }.map { $0.1.time - $0.0.time }
        #expect(pulses.count == 3, "50 ms hold three beginnings of 20 ms")
        // As exact as the clock's steps.
        #expect(pulses.allSatisfy { $0 >= .microseconds(950) && $0 <= .microseconds(2050) })
        #expect(app.statistics.recentErrors.isEmpty)
    }

    @Test func theSMQDeviceIsListedAndObeys() async throws {
        let node = try await ScriptBroker.start()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: try node.configuration()))
        let page = try TestPeer(node, "a-page-of-the-demo")
        page.follow(page.client.subscribeToSelf())
        page.follow(page.client.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic))
        try await page.connected()
        try await rig.example("smq-led-device.xlua")
        try await rig.writes("connected as")
        // A page asks until it hears: the device may not have subscribed yet.
        try await eventually("a description") {
            try page.client.publishNow(ByteBuffer(string: "Hello"), to: .topic(LEDContract.displayTopic))
            try await Task.sleep(for: .milliseconds(50))
            return page.messages.contains { $0.topic == nil }
        }
        let device = try #require(page.messages.first { $0.topic == nil })
        let info = try JSONValue(parsing: device.payload.readableBytesView)
        #expect(info.objectValue?["devname"]?.stringValue == "Lua device")
        #expect(info.objectValue?["leds"]?.arrayValue?.count == 2)
        try page.client.publishNow(
            LEDContract.Switch(id: 2, isOn: true).payload, to: .peer(device.publisher))
        try await eventually("the echo") {
            page.messages.contains { LEDContract.Switch($0.payload) == LEDContract.Switch(id: 2, isOn: true) }
        }
        #expect(try rig.board.isHigh("GPIO6") && !rig.board.isHigh("GPIO5"))
        // What is no command changes nothing.
        try page.client.publishNow(ByteBuffer(string: "nonsense"), to: .peer(device.publisher))
        try await rig.writes("no LED command:\t8\tbytes")
        await rig.host.stop()
        await node.stop()
    }

    @Test func theSensorPublishesWhatItMeasures() async throws {
        let node = try await ScriptBroker.start()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: try node.configuration()))
        rig.buses.sensor.set(SimulatedBME280.Weather(temperature: 25.5, humidity: 40, pressure: 100_000))
        let listener = try TestPeer(node, "a-listener-of-weather")
        listener.follow(listener.client.subscribe(to: LEDContract.temperatureTopic))
        listener.follow(listener.client.subscribe(to: "/sensors/weather"))
        try await listener.connected()
        try await rig.example("sensor")
        try await eventually("both messages") { Set(listener.messages.map(\.topic)).count == 2 }
        let messages = listener.messages
        let message = try #require(messages.first { $0.topic == LEDContract.temperatureTopic })
        #expect(message.payload.getInteger(at: message.payload.readerIndex, as: Int16.self) == 255)
        let weather = try #require(messages.first { $0.topic == "/sensors/weather" })
        let all = try JSONValue(parsing: weather.payload.readableBytesView).objectValue
        #expect(abs((all?["humidity"]?.doubleValue ?? 0) - 40) < 0.5)
        #expect(abs((all?["pressure"]?.doubleValue ?? 0) - 100_000) < 20)
        await rig.host.stop()
        await node.stop()
    }

    @Test func theAlarmBlinksAndRefuses() async throws {
        let node = try await ScriptBroker.start()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: try node.configuration()))
        let sensor = try TestPeer(node, "a-sensor-for-alarms")
        try await sensor.connected()
        try await rig.example("alarm.xlua")
        let on: JSONValue = ["id": 1, "on": true]
        #expect(await rig.hooks.decide(.led, on) == .pass)
        try await eventually("the alarm") {
            try sensor.client.publishNow(
                LEDContract.temperaturePayload(tenths: 315), to: .topic(LEDContract.temperatureTopic))
            return rig.lines.contains("alarm: 31.5 degrees")
        }
        try await rig.level("GPIO25", is: true)
        try await rig.level("GPIO25", is: false)
        #expect(await rig.hooks.decide(.led, on) == .refuse("it is too hot"))
        try sensor.client.publishNow(
            LEDContract.temperaturePayload(tenths: 250), to: .topic(LEDContract.temperatureTopic))
        try await rig.writes("all is well again")
        #expect(await rig.hooks.decide(.led, on) == .pass)
        await rig.host.stop()
        await node.stop()
    }

    @Test func theHeartBlinksAndCounts() async throws {
        let node = try await ScriptBroker.start()
        let rig = ScriptRig(messaging: ScriptMessaging(standard: try node.configuration()))
        let listener = try TestPeer(node, "a-listener-of-hearts")
        listener.follow(listener.client.subscribe(to: "fleet/heartbeat"))
        try await listener.connected()
        let app = try await rig.example("heartbeat.xlua")
        try await rig.level("GPIO26", is: true)
        try await rig.level("GPIO26", is: false)
        try await eventually("two beats") { listener.messages.count >= 2 }
        let beats = listener.messages.map { $0.payload.getInteger(at: $0.payload.readerIndex, as: UInt32.self) ?? 0 }
        #expect(beats == beats.sorted() && Set(beats).count == beats.count)
        await rig.host.remove(app)
        #expect(app.statistics.recentErrors.isEmpty)
        #expect(rig.scripts.usedPins.isEmpty)
        await rig.host.stop()
        await node.stop()
    }

    @Test func theFilterDecidesOnFrames() async throws {
        let rig = ScriptRig()
        let app = try await rig.example("lora-filter.xlua")
        #expect(await rig.hooks.decide(.uplink, ["devaddr": "26011234", "rssi": -130]) == .refuse("too weak"))
        #expect(await rig.hooks.decide(.uplink, ["devaddr": "78011234", "rssi": -50]) == .refuse("of another network"))
        #expect(
            await rig.hooks.decide(.uplink, ["devaddr": "26011234", "rssi": -50])
                == .change(["devaddr": "26011234", "rssi": -50, "note": "passed by lora-filter"]))
        #expect(await rig.hooks.decide(.downlink, ["power": 27]) == .change(["power": 14]))
        #expect(await rig.hooks.decide(.downlink, ["power": 10]) == .pass)
        await rig.host.remove(app)
        try await rig.writes("3 uplinks seen, 2 dropped")
    }
}

/// A client beside the scripts', for as long as it is held.
final class TestPeer: Sendable {
    let client: SMQClient
    private let received = Locked<[SMQMessage]>([])
    private let tasks: Locked<[Task<Void, Never>]>

    convenience init(_ node: ScriptBroker, _ uid: String) throws { self.init(try node.configuration(uid)) }

    init(_ configuration: SMQClientConfiguration) {
        let client = SMQClient(configuration)
        self.client = client
        tasks = Locked([Task { try? await client.run() }])
    }

    deinit { for task in tasks.withLock({ $0 }) { task.cancel() } }

    var messages: [SMQMessage] { received.withLock { $0 } }

    func follow(_ subscription: SMQSubscription) {
        let task = Task { [weak self] in
            for await message in subscription { self?.received.withLock { $0.append(message) } }
        }
        tasks.withLock { $0.append(task) }
    }

    func connected() async throws { try await eventually("a session") { [client] in client.isConnected } }
}
