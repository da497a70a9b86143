import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

@Suite struct I2CTests {
    @Test func combinedTransactionsReadWhatWasPointedAt() throws {
        let bus = SimulatedI2CBus()
        let device = SimulatedRegisters([0x10: 1, 0x11: 2, 0x12: 3])
        bus.connect(device, at: 0x40)
        #expect(try bus.transfer(0x40, write: [0x10], read: 3) == [1, 2, 3])
        try bus.set(0x11, to: 9, of: 0x40)
        #expect(try bus.registers(0x11, count: 2, of: 0x40) == [9, 3])
        #expect(bus.transactions == 3)
    }

    @Test func absentDevicesAndClosedBusesAreNamed() throws {
        let bus = SimulatedI2CBus(name: "bus 1")
        #expect(try !bus.probe(0x76))
        let absent = #expect(throws: DeviceError.self) { _ = try bus.transfer(0x76, write: [0], read: 1) }
        #expect(absent?.code == .notFound && absent?.message.contains("0x76 on bus 1") == true)
        bus.close()
        let closed = #expect(throws: DeviceError.self) { _ = try bus.probe(0x76) }
        #expect(closed?.code == .closed)
    }

    @Test(
        arguments: [(0x80, 1, 1), (0x76, 0, 0), (0x76, 0, 8193), (0x76, 8193, 0), (0x76, 0, -1)] as [(UInt8, Int, Int)])
    func impossibleTransactionsAreRefused(_ address: UInt8, _ out: Int, _ count: Int) {
        let bus = SimulatedI2CBus()
        bus.connect(SimulatedRegisters(), at: 0x76)
        let error = #expect(throws: DeviceError.self) {
            _ = try bus.transfer(address, write: [UInt8](repeating: 0, count: out), read: count)
        }
        #expect(error?.code == .invalidArgument)
    }

    @Test func busesThatAreNotThereAreListed() throws {
        let tree = try FakeTree(["i2c-1": "", "i2c-20": "", "null": ""])
        #expect(I2CBus.numbers(directory: tree.path) == [1, 20])
        let absent = #expect(throws: DeviceError.self) { _ = try I2CBus(7, directory: tree.path) }
        #expect(absent?.code == .notFound && absent?.hint == "Buses here: 1, 20")
        let file = #expect(throws: DeviceError.self) { _ = try I2CBus(1, directory: tree.path) }
        #expect(file?.code == .unsupported)
    }

    /// Bosch's formulas (data sheet 8.1), as a driver has them: they must give what the simulated sensor was set to.
    @Test(arguments: [
        SimulatedBME280.Weather(), SimulatedBME280.Weather(temperature: -12.3, humidity: 80, pressure: 95_000),
        SimulatedBME280.Weather(temperature: 60, humidity: 12, pressure: 104_000),
    ])
    func theSimulatedSensorIsReadByADriver(_ weather: SimulatedBME280.Weather) throws {
        let bus = try SimulatedBuses().i2c(1)
        let sensor = SimulatedBME280(weather)
        (bus as? SimulatedI2CBus)?.connect(sensor, at: 0x77)
        #expect(try bus.registers(0xD0, count: 1, of: 0x77) == [0x60])
        #expect(try bus.registers(0xFA, count: 3, of: 0x77) == [0, 0, 0], "it sleeps until it is told to measure")
        try bus.set(0xF4, to: 0x27, of: 0x77)
        let data = try bus.registers(0xF7, count: 8, of: 0x77).map(Int.init)
        let c = try bus.registers(0x88, count: 6, of: 0x77).map(Int.init)
        let raw = Double(data[3] << 12 | data[4] << 4 | data[5] >> 4)
        let t1 = Double(c[0] | c[1] << 8)
        let t2 = Double(Int16(truncatingIfNeeded: c[2] | c[3] << 8))
        let t3 = Double(Int16(truncatingIfNeeded: c[4] | c[5] << 8))
        let first = (raw / 16384 - t1 / 1024) * t2
        let second = (raw / 131_072 - t1 / 8192)
        let temperature = (first + second * second * t3) / 5120
        #expect(abs(temperature - weather.temperature) < 0.05)
        try bus.set(0xD0, to: 1, of: 0x77)
        #expect(try bus.registers(0xD0, count: 1, of: 0x77) == [0x60], "the id cannot be written")
    }
}
