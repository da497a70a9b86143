import DeviceCore
import DeviceProtocols
import NIOCore

/// The records of Basics Station's simulated radio: libloragw's structs for the SX1301 (lora_gateway 5.0.1) as a 64-bit
/// little-endian machine has them in memory.
enum LgwsimRecord {
    static let receivedSize = 300
    static let sentSize = 288
    /// `tx_mode` of the first record, which tells the simulator our clock.
    private static let helloMode: UInt8 = 255
    /// `freq_hz` of a record that is no frame but a table of busy channels.
    static let busyTable: UInt32 = 0xCCAF_CCAF

    /// The first record: the offset of the radio's clock from CLOCK_MONOTONIC, in microseconds, and the radio's number.
    static func hello(timeOffset: Int64, unit: UInt8) -> ByteBuffer {
        var record = ByteBuffer()
        let bits = UInt64(bitPattern: timeOffset)
        record.writeInteger(UInt32(truncatingIfNeeded: bits >> 32), endianness: .little)
        record.writeMultipleIntegers(helloMode, UInt8(0), UInt16(0))
        record.writeInteger(UInt32(truncatingIfNeeded: bits), endianness: .little)
        record.writeRepeatingByte(0, count: 10)
        record.writeInteger(unit)
        record.writeRepeatingByte(0, count: sentSize - record.readableBytes)
        return record
    }

    /// A frame to send. nil for what an SX1301 cannot send.
    static func encode(_ downlink: RadioDownlink) -> ByteBuffer? {
        guard downlink.payload.count <= 255 else { return nil }
        var record = ByteBuffer()
        record.writeInteger(downlink.frequency.hertz, endianness: .little)
        record.writeMultipleIntegers(UInt8(downlink.count == nil ? 0 : 1), UInt8(0), UInt16(0))
        record.writeInteger(UInt32(truncatingIfNeeded: downlink.count ?? 0), endianness: .little)
        record.writeMultipleIntegers(downlink.rfChain, UInt8(bitPattern: downlink.power))
        switch downlink.modulation {
        case .lora(let rate):
            guard let bandwidth = bandwidths.first(where: { $0.value == rate.bandwidth })?.key,
                (7...12).contains(rate.spreadingFactor)
            else { return nil }
            record.writeMultipleIntegers(UInt8(0x10), bandwidth)
            record.writeInteger(UInt32(1) << UInt32(rate.spreadingFactor - 6), endianness: .little)
        case .fsk(let bitRate):
            record.writeMultipleIntegers(UInt8(0x20), UInt8(3))
            record.writeInteger(bitRate, endianness: .little)
        }
        record.writeMultipleIntegers(
            UInt8(truncatingIfNeeded: downlink.codingRate.parityBits), UInt8(downlink.invertsPolarity ? 1 : 0),
            UInt8(clamping: downlink.frequencyDeviation / 1000), UInt8(0))
        record.writeInteger(downlink.preamble, endianness: .little)
        record.writeMultipleIntegers(UInt8(downlink.hasCRC ? 0 : 1), UInt8(downlink.isImplicitHeader ? 1 : 0))
        record.writeInteger(UInt16(downlink.payload.count), endianness: .little)
        record.writeBytes(downlink.payload)
        record.writeRepeatingByte(0, count: sentSize - record.readableBytes)
        return record
    }

    private static let bandwidths: [UInt8: UInt16] = [3: 125, 2: 250, 1: 500]

    /// What a record says; the count has 32 bits.
    enum Received {
        case frame(RadioUplink, count: UInt32)
        case busyTable
        /// One sentence about what cannot be.
        case impossible(String)
    }

    /// Reads a record of exactly ``receivedSize`` bytes.
    static func decode(_ record: ByteBuffer, receivedAt: MonotonicTime) -> Received {
        var record = record
        guard record.readableBytes == receivedSize,
            let frequency = record.readInteger(endianness: .little, as: UInt32.self),
            let (ifChain, status, _) = record.readMultipleIntegers(as: (UInt8, UInt8, UInt16).self),
            let count = record.readInteger(endianness: .little, as: UInt32.self),
            let (rfChain, modulation, bandwidth, _) = record.readMultipleIntegers(
                as: (UInt8, UInt8, UInt8, UInt8).self),
            let rate = record.readInteger(endianness: .little, as: UInt32.self),
            let (codingRate, _, _) = record.readMultipleIntegers(as: (UInt8, UInt8, UInt16).self),
            let rssi = record.readInteger(endianness: .little, as: UInt32.self).map({ Float(bitPattern: $0) }),
            let snr = record.readInteger(endianness: .little, as: UInt32.self).map({ Float(bitPattern: $0) }),
            // The least and greatest SNR, and the checksum itself.
            record.readMultipleIntegers(as: (UInt32, UInt32, UInt16).self) != nil,
            let size = record.readInteger(endianness: .little, as: UInt16.self)
        else { return .impossible("a record that is too short") }
        if frequency == busyTable { return .busyTable }
        guard size <= 255, let payload = record.readBytes(length: Int(size)) else {
            return .impossible("a frame of \(size) bytes")
        }
        guard rssi.isFinite, snr.isFinite, rssi.magnitude < 1000, snr.magnitude < 1000 else {
            return .impossible("a signal strength that is no number")
        }
        let lora: LoRaModulation
        switch modulation {
        case 0x10:
            guard let width = bandwidths[bandwidth], rate.nonzeroBitCount == 1,
                (1...6).contains(rate.trailingZeroBitCount)
            else { return .impossible("an unknown bandwidth or spreading factor") }
            lora = .lora(LoRaDataRate(spreadingFactor: UInt8(rate.trailingZeroBitCount) + 6, bandwidth: width))
        case 0x20: lora = .fsk(bitRate: rate)
        default: return .impossible("the unknown modulation \(modulation)")
        }
        let crc: CRCStatus
        switch status {
        case 0x10: crc = .ok
        case 0x11: crc = .bad
        case 0x01: crc = .none
        default: return .impossible("the unknown status \(status)")
        }
        var uplink = RadioUplink(
            count: UInt64(count), frequency: RadioFrequency(hertz: frequency), modulation: lora, crc: crc,
            rssi: Double(rssi), snr: Double(snr), ifChain: ifChain, rfChain: rfChain,
            payload: payload, receivedAt: receivedAt)
        if modulation == 0x10 {
            let rates = LoRaCodingRate.allCases
            guard rates.indices.contains(Int(codingRate)) else {
                return .impossible("the unknown coding rate \(codingRate)")
            }
            uplink.codingRate = rates[Int(codingRate)]  // safe: looked up before; the cases stand by parity bits
        }
        return .frame(uplink, count: count)
    }
}
