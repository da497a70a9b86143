/// Where a beacon's parts are (LoRaWAN 1.0.3, section 15.2; Basics Station's `bcning.layout`).
///
/// RFU | GPS seconds, 4 bytes | CRC, 2 | information, 1 | latitude, 3 | longitude, 3 | RFU | CRC, 2; all little-endian.
public struct BeaconLayout: Hashable, Sendable {
    /// Where the time begins.
    public let time: UInt8
    /// Where the gateway's own part begins, after the first CRC.
    public let info: UInt8
    /// The frame's length.
    public let length: UInt8

    /// Makes a layout; nil when the parts overlap or do not fit.
    public init?(time: UInt8, info: UInt8, length: UInt8) {
        guard Int(time) + 6 <= Int(info), Int(info) + 9 <= Int(length) else { return nil }
        self.time = time
        self.info = info
        self.length = length
    }

    /// The layout for a spreading factor; nil for one that no region's beacon has.
    public init?(spreadingFactor: UInt8) {
        switch spreadingFactor {
        case 8: self.init(time: 1, info: 7, length: 19)
        case 9: self.init(time: 2, info: 8, length: 17)
        case 10: self.init(time: 3, info: 9, length: 19)
        case 12: self.init(time: 5, info: 11, length: 23)
        default: return nil
        }
    }
}

/// A class B beacon: the time, and where the gateway is.
public struct Beacon: Hashable, Sendable {
    /// Seconds of GPS time, a multiple of 128; its low 32 bits are sent.
    public var gpsSeconds: UInt64
    /// What latitude and longitude are of: 0 to 2 the gateway's antennas.
    public var info: UInt8 = 0
    /// Latitude in degrees.
    public var latitude: Double = 0
    /// Longitude in degrees.
    public var longitude: Double = 0

    /// A beacon for that time.
    public init(gpsSeconds: UInt64) { self.gpsSeconds = gpsSeconds }

    /// The frame.
    public func bytes(_ layout: BeaconLayout) -> [UInt8] {
        var common = [UInt8](repeating: 0, count: Int(layout.time))
        common.appendLittleEndian(UInt32(truncatingIfNeeded: gpsSeconds))
        common += [UInt8](repeating: 0, count: Int(layout.info) - 2 - common.count)
        common.appendLittleEndian(Self.crc(common))
        var own = [info]
        own.appendLittleEndian(Self.fraction(latitude, of: 90), count: 3)
        own.appendLittleEndian(Self.fraction(longitude, of: 180), count: 3)
        own += [UInt8](repeating: 0, count: Int(layout.length) - Int(layout.info) - 2 - own.count)
        own.appendLittleEndian(Self.crc(own))
        return common + own
    }

    /// The beacon as a frame to send: implicit header, not inverted, ten symbols of preamble, 4/5.
    public func frame(_ layout: BeaconLayout, frequency: RadioFrequency, modulation: LoRaModulation, rfChain: UInt8 = 0)
        -> RadioDownlink
    {
        RadioDownlink(
            count: nil, frequency: frequency, modulation: modulation, power: 0, invertsPolarity: false, preamble: 10,
            hasCRC: false, isImplicitHeader: true, rfChain: rfChain, payload: bytes(layout))
    }

    /// A part of a range as 24 bits with sign, in the low bits.
    private static func fraction(_ degrees: Double, of range: Double) -> UInt64 {
        guard degrees.isFinite else { return 0 }
        let scaled = min(max(degrees / range, -1), 1) * 8_388_608
        return UInt64(bitPattern: min(Int64(scaled), 8_388_607))
    }

    /// CRC-16 with polynomial 0x1021, from 0, highest bit first.
    static func crc(_ bytes: [UInt8]) -> UInt16 {
        var remainder: UInt16 = 0
        for byte in bytes {
            remainder ^= UInt16(byte) << 8
            for _ in 0..<8 { remainder = remainder & 0x8000 == 0 ? remainder << 1 : remainder << 1 ^ 0x1021 }
        }
        return remainder
    }
}
