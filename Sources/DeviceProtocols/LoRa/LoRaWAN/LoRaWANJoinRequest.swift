/// A device's request for a session (LoRaWAN 1.0.3, section 6.2.4), 23 bytes.
public struct LoRaWANJoinRequest: Hashable, Sendable {
    /// The join server; LoRaWAN 1.0's AppEUI.
    public var joinEUI: EUI64
    /// The device.
    public var devEUI: EUI64
    /// A number that the device never uses twice.
    public var devNonce: UInt16
    /// The integrity code; its first byte on the air is the lowest.
    public var mic: UInt32

    /// Its length on the air.
    public static let length = 23

    /// Makes a request; see ``LoRaWANSecurity/mic(ofJoin:key:)`` for its code.
    public init(joinEUI: EUI64, devEUI: EUI64, devNonce: UInt16, mic: UInt32 = 0) {
        self.joinEUI = joinEUI
        self.devEUI = devEUI
        self.devNonce = devNonce
        self.mic = mic
    }

    /// Reads what begins with MHDR.
    init(_ bytes: [UInt8]) throws(LoRaWANError) {
        guard bytes.count == Self.length else { throw .wrongLength(bytes.count) }
        var reader = LoRaWANReader(bytes)
        guard reader.byte() != nil, let joinEUI = reader.integer(UInt64.self),
            let devEUI = reader.integer(UInt64.self), let devNonce = reader.integer(UInt16.self),
            let mic = reader.integer(UInt32.self)
        else { throw .wrongLength(bytes.count) }
        self.init(joinEUI: EUI64(joinEUI), devEUI: EUI64(devEUI), devNonce: devNonce, mic: mic)
    }

    /// The bytes that the integrity code covers.
    public var bytesWithoutMIC: [UInt8] {
        var bytes: [UInt8] = [0]
        bytes.appendLittleEndian(joinEUI.rawValue)
        bytes.appendLittleEndian(devEUI.rawValue)
        bytes.appendLittleEndian(devNonce)
        return bytes
    }

    /// The frame.
    public var bytes: [UInt8] {
        var bytes = bytesWithoutMIC
        bytes.appendLittleEndian(mic)
        return bytes
    }
}
