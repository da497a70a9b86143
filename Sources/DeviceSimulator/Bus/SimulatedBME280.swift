import DeviceCore

/// Bosch's sensor of temperature, humidity and pressure on a simulated bus: its registers, and measurements that a
/// driver's own arithmetic turns back into what was set (BME280 data sheet BST-BME280-DS002, sections 4.2.3 and 5.4).
public final class SimulatedBME280: SimulatedI2CDevice {
    /// What the sensor feels.
    public struct Weather: Hashable, Sendable {
        /// Degrees Celsius, -40 to 85.
        public var temperature: Double
        /// Percent relative, 0 to 100.
        public var humidity: Double
        /// Pascal, 30000 to 110000.
        public var pressure: Double

        /// Makes weather.
        public init(temperature: Double = 21.5, humidity: Double = 45, pressure: Double = 101_325) {
            self.temperature = temperature
            self.humidity = humidity
            self.pressure = pressure
        }
    }

    private let registers: SimulatedRegisters
    private let weather: Locked<Weather>

    /// The calibration of an existing sensor's kind: T1...T3, P1...P9 are the data sheet's own example.
    private static let calibration: [(register: UInt8, value: Int)] = [
        (0x88, 27504), (0x8A, 26435), (0x8C, -1000), (0x8E, 36477), (0x90, -10685), (0x92, 3024), (0x94, 2855),
        (0x96, 140), (0x98, -7), (0x9A, 15500), (0x9C, -14600), (0x9E, 6000), (0xE1, 370),
    ]
    private static let humidityCalibration: [UInt8: UInt8] = [
        0xA1: 75, 0xE3: 0, 0xE4: 0x13, 0xE5: 0x29, 0xE6: 0x03, 0xE7: 30,
    ]

    /// A sensor in some weather.
    public init(_ weather: Weather = Weather()) {
        var values = Self.humidityCalibration
        values[0xD0] = 0x60
        for (register, value) in Self.calibration {
            values[register] = UInt8(truncatingIfNeeded: value)
            values[register + 1] = UInt8(truncatingIfNeeded: value >> 8)
        }
        registers = SimulatedRegisters(values) { [0xE0, 0xF2, 0xF4, 0xF5].contains($0) }
        self.weather = Locked(weather)
    }

    /// Changes the weather.
    public func set(_ weather: Weather) { self.weather.withLock { $0 = weather } }

    /// Takes a write to control registers.
    public func write(_ bytes: [UInt8]) { registers.write(bytes) }

    /// Measures, if it is not asleep, and gives registers.
    public func read(_ count: Int) -> [UInt8] {
        if registers[0xF4] & 3 != 0 { measure() }
        return registers.read(count)
    }

    /// Finds the converter's numbers that mean this weather: the formulas rise or fall steadily, so halving finds them.
    private func measure() {
        let weather = weather.withLock { $0 }
        let temperature = Self.find(0..<1 << 20, rising: true) { Self.fine($0) / 5120 < weather.temperature }
        let fine = Self.fine(temperature)
        let pressure = Self.find(0..<1 << 20, rising: false) { Self.pressure($0, fine) < weather.pressure }
        let humidity = Self.find(0..<1 << 16, rising: true) { Self.humidity($0, fine) < weather.humidity }
        put(pressure << 4, at: 0xF7, bytes: 3)
        put(temperature << 4, at: 0xFA, bytes: 3)
        put(humidity, at: 0xFD, bytes: 2)
    }

    private func put(_ value: Int, at register: UInt8, bytes: UInt8) {
        for index in 0..<bytes {
            registers[register + index] = UInt8(truncatingIfNeeded: value >> (8 * Int(bytes - 1 - index)))
        }
    }

    private static func find(_ range: Range<Int>, rising: Bool, _ isBelow: (Int) -> Bool) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound - 1)
        while low < high {
            let middle = (low + high) / 2
            if isBelow(middle) == rising { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Section 8.1 of the data sheet, in floating point.
    private static func fine(_ raw: Int) -> Double {
        let first = (Double(raw) / 16384 - 27504.0 / 1024) * 26435
        let second = Double(raw) / 131_072 - 27504.0 / 8192
        return first + second * second * -1000
    }

    private static func pressure(_ raw: Int, _ fine: Double) -> Double {
        var first = fine / 2 - 64000
        var second = first * first * -7 / 32768
        second += first * 140 * 2
        second = second / 4 + 2855 * 65536
        first = (3024 * first * first / 524_288 + -10685 * first) / 524_288
        first = (1 + first / 32768) * 36477
        guard first > 0 else { return 0 }
        var pressure = 1_048_576 - Double(raw)
        pressure = (pressure - second / 4096) * 6250 / first
        first = 6000 * pressure * pressure / 2_147_483_648
        second = pressure * -14600 / 32768
        return pressure + (first + second + 15500) / 16
    }

    /// With H1 75, H2 370, H3 0, H4 0x13 << 4 | 9, H5 0x03 << 4 | 2, H6 30.
    private static func humidity(_ raw: Int, _ fine: Double) -> Double {
        let warmth = fine - 76800
        let offset = 313.0 * 64 + 50.0 / 16384 * warmth
        let factor = 1 + 30.0 / 67_108_864 * warmth
        let value = (Double(raw) - offset) * (370.0 / 65536) * factor
        return value * (1 - 75 * value / 524_288)
    }
}
