import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

@Suite struct AnalogInputTests {
    @Test func readsAndScales() throws {
        let tree = try FakeTree([
            "iio:device0/name": "bme280\n", "iio:device0/in_temp_input": "21500\n", "iio:device1/name": "saradc\n",
            "iio:device1/in_voltage0_raw": "512\n", "iio:device1/in_voltage1_raw": "100\n",
            "iio:device1/in_voltage_scale": "1.757812500\n", "iio:device1/in_voltage1_scale": "2\n",
            "iio:device1/in_voltage1_offset": "-10\n",
        ])
        let input = try AnalogInput(unit: 1, channel: 0, directory: tree.path)
        #expect(input.name == "saradc, channel 0")
        #expect(try input.raw() == 512)
        #expect(input.millivolts(512) == 900)
        #expect(try AnalogInput(unit: 1, channel: 1, directory: tree.path).millivolts(100) == 180)
        let absent = #expect(throws: DeviceError.self) {
            _ = try AnalogInput(unit: 0, channel: 0, directory: tree.path)
        }
        #expect(absent?.code == .notFound && absent?.hint == "saradc is unit 1, channels 0 1")
    }

    @Test func aPiHasNone() throws {
        let tree = try FakeTree(["empty/file": ""])
        let error = #expect(throws: DeviceError.self) {
            _ = try AnalogInput(unit: 0, channel: 0, directory: tree.path)
        }
        #expect(error?.hint?.contains("A Raspberry Pi has none") == true)
        #expect(try SimulatedBuses().analog(unit: 0, channel: 3).raw() == 300)
    }

    @Test func whatIsNoNumberIsAnError() throws {
        let tree = try FakeTree(["iio:device0/name": "x", "iio:device0/in_voltage0_raw": "soon\n"])
        let error = #expect(throws: DeviceError.self) {
            _ = try AnalogInput(unit: 0, channel: 0, directory: tree.path)
        }
        #expect(error?.code == .io)
    }
}

@Suite struct PulseCounterTests {
    @Test func countsPressesAndReportsPoints() async throws {
        let board = SimulatedBoard()
        var settings = PulseCounterSettings(highLimit: 10, lowLimit: -10, channels: [.init(edge: 0)])
        settings.channels[0].rising = .hold
        settings.channels[0].falling = .increase
        settings.points = [2]
        let counter = try PulseCounter(settings, lines: ["GPIO22"], on: board)
        counter.start()
        for _ in 0..<3 {
            try board.press("GPIO22")
            try board.release("GPIO22")
        }
        var events = counter.events.makeAsyncIterator()
        #expect(await events.next() == PulseCounterEvent(count: 2))
        #expect(try await eventually { counter.count == 3 })
        #expect(counter.lostEdges == 0)
        counter.clear()
        #expect(counter.count == 0)
        counter.close()
        #expect(try !board.info(at: "GPIO22").isUsed)
    }
}
