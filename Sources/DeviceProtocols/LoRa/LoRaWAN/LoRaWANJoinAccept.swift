/// What a network grants a device (LoRaWAN 1.0.3, section 6.2.5), deciphered.
public struct LoRaWANJoinAccept: Hashable, Sendable {
    /// A number of the network's, 24 bits; LoRaWAN 1.0's AppNonce.
    public var joinNonce: UInt32
    /// The network's identifier, 24 bits.
    public var netID: UInt32
    /// The device's new address.
    public var devAddr: DevAddr
    /// The offset of the first receive window's data rate, 0 to 7.
    public var rx1DataRateOffset: UInt8
    /// The second receive window's data rate, 0 to 15.
    public var rx2DataRate: UInt8
    /// Seconds from the end of a frame to the first receive window, 1 to 15; 0 on the air also means 1.
    public var rxDelay: UInt8
    /// Channels: 16 bytes, or none; see ``channels``.
    public var cfList: [UInt8]

    /// Makes an answer.
    public init(
        joinNonce: UInt32, netID: UInt32, devAddr: DevAddr, rx1DataRateOffset: UInt8 = 0, rx2DataRate: UInt8 = 0,
        rxDelay: UInt8 = 1, cfList: [UInt8] = []
    ) {
        self.joinNonce = joinNonce
        self.netID = netID
        self.devAddr = devAddr
        self.rx1DataRateOffset = rx1DataRateOffset
        self.rx2DataRate = rx2DataRate
        self.rxDelay = rxDelay
        self.cfList = cfList
    }

    /// Reads what stands between MHDR and the integrity code.
    init(plain bytes: [UInt8]) throws(LoRaWANError) {
        var reader = LoRaWANReader(bytes)
        guard bytes.count == 12 || bytes.count == 28, let nonce = reader.number(3), let network = reader.number(3),
            let address = reader.integer(UInt32.self), let settings = reader.byte(), let delay = reader.byte()
        else { throw .wrongLength(bytes.count) }
        self.init(
            joinNonce: UInt32(truncatingIfNeeded: nonce), netID: UInt32(truncatingIfNeeded: network),
            devAddr: DevAddr(address), rx1DataRateOffset: settings >> 4 & 7, rx2DataRate: settings & 15,
            rxDelay: delay & 15, cfList: reader.remainder())
    }

    /// What stands between MHDR and the integrity code. Numbers are cut to their bits; a list of channels that has not
    /// 16 bytes is left out.
    var plain: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(UInt64(joinNonce), count: 3)
        bytes.appendLittleEndian(UInt64(netID), count: 3)
        bytes.appendLittleEndian(devAddr.rawValue)
        bytes.append((rx1DataRateOffset & 7) << 4 | rx2DataRate & 15)
        bytes.append(rxDelay & 15)
        if cfList.count == 16 { bytes += cfList }
        return bytes
    }

    /// The up to five further channels of a list of type 0 (regional parameters: EU868, AS923, IN865, KR920); empty for
    /// no list and for other types.
    public var channels: [RadioFrequency] {
        get {
            guard cfList.count == 16, cfList.last == 0 else { return [] }
            var reader = LoRaWANReader(cfList)
            return (0..<5).compactMap { _ in
                guard let hundreds = reader.number(3), hundreds > 0 else { return nil }
                return RadioFrequency(hertz: UInt32(truncatingIfNeeded: hundreds * 100))
            }
        }
        set {
            cfList = []
            for channel in newValue.prefix(5) { cfList.appendLittleEndian(UInt64(channel.hertz / 100), count: 3) }
            cfList += [UInt8](repeating: 0, count: 16 - cfList.count)
        }
    }
}
