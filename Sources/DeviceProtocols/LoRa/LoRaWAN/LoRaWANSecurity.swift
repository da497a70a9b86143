public import DeviceCore

/// Integrity codes, ciphers and keys of LoRaWAN 1.0.x (specification 1.0.3, sections 4.3.3, 4.4 and 6.2). AES comes in
/// through `Crypto`.
///
/// What is thrown is the crypto library's refusal.
public struct LoRaWANSecurity: Sendable {
    private let crypto: any Crypto

    /// Works with that library.
    public init(_ crypto: any Crypto) { self.crypto = crypto }

    /// The keys of the session that a join-accept grants (section 6.2.5).
    public func sessionKeys(
        key: LoRaWANKey, joinNonce: UInt32, netID: UInt32, devNonce: UInt16
    ) throws(DeviceError) -> LoRaWANSessionKeys {
        var blocks: [UInt8] = []
        for first in UInt8(1)...2 {
            blocks.append(first)
            blocks.appendLittleEndian(UInt64(joinNonce), count: 3)
            blocks.appendLittleEndian(UInt64(netID), count: 3)
            blocks.appendLittleEndian(devNonce)
            blocks += [UInt8](repeating: 0, count: 7)
        }
        let keys = try crypto.aes128Encrypt(key: key.bytes, blocks)
        guard let network = LoRaWANKey(Array(keys.prefix(16))), let application = LoRaWANKey(Array(keys.dropFirst(16)))
        else { throw DeviceError(.unsupported, "AES-128 made no two keys of 16 bytes") }
        return LoRaWANSessionKeys(network: network, application: application)
    }

    /// The integrity code of a join-request (section 6.2.4).
    public func mic(ofJoin request: LoRaWANJoinRequest, key: LoRaWANKey) throws(DeviceError) -> UInt32 {
        try mic(key, request.bytesWithoutMIC)
    }

    /// A join-accept as it goes on the air: the network deciphers, so that devices need only the other half of AES.
    public func joinAcceptFrame(_ accept: LoRaWANJoinAccept, key: LoRaWANKey) throws(DeviceError) -> [UInt8] {
        var bytes = accept.plain
        bytes.appendLittleEndian(try mic(key, [0x20] + bytes))
        return [0x20] + (try crypto.aes128Decrypt(key: key.bytes, bytes))
    }

    /// Reads what follows a join-accept's MHDR; nil when its integrity code is wrong or its length is.
    public func openJoinAccept(_ enciphered: [UInt8], key: LoRaWANKey) throws(DeviceError) -> LoRaWANJoinAccept? {
        guard enciphered.count == 16 || enciphered.count == 32 else { return nil }
        let bytes = try crypto.aes128Encrypt(key: key.bytes, enciphered)
        var reader = LoRaWANReader(bytes)
        guard let plain = reader.bytes(bytes.count - 4), let code = reader.integer(UInt32.self),
            code == (try mic(key, [0x20] + plain))
        else { return nil }
        return try? LoRaWANJoinAccept(plain: plain)
    }

    /// The integrity code of a data frame with its full counter (section 4.4).
    public func mic(of frame: LoRaWANData, fCnt: UInt32, key: LoRaWANKey) throws(DeviceError) -> UInt32 {
        let message = frame.bytesWithoutMIC
        let length = UInt8(truncatingIfNeeded: message.count)
        let head = Self.block(0x49, frame.type.direction, frame.devAddr, fCnt, last: length)
        return try mic(key, head + message)
    }

    /// Enciphers or deciphers a payload (section 4.3.3); the key is the network's for port 0, else the application's.
    public func cipher(
        _ payload: [UInt8], direction: LoRaWANDirection, devAddr: DevAddr, fCnt: UInt32, key: LoRaWANKey
    ) throws(DeviceError) -> [UInt8] {
        guard !payload.isEmpty else { return [] }
        // No frame is longer; the number of a block has eight bits.
        guard payload.count <= LoRaWANFrame.maximumLength else {
            throw DeviceError(.invalidArgument, "a LoRaWAN payload of \(payload.count) bytes is too long")
        }
        var blocks: [UInt8] = []
        for number in 1...(payload.count + 15) / 16 {
            blocks += Self.block(1, direction, devAddr, fCnt, last: UInt8(truncatingIfNeeded: number))
        }
        let stream = try crypto.aes128Encrypt(key: key.bytes, blocks)
        return zip(payload, stream).map { $0 ^ $1 }
    }

    /// A data frame with its payload enciphered and its integrity code set; the frame's counter becomes the low half
    /// of the full one.
    public func seal(
        _ frame: LoRaWANData, fCnt: UInt32, keys: LoRaWANSessionKeys
    ) throws(DeviceError) -> LoRaWANData {
        var sealed = frame
        sealed.fCnt = UInt16(truncatingIfNeeded: fCnt)
        sealed.payload = try cipher(
            frame.payload, direction: frame.type.direction, devAddr: frame.devAddr, fCnt: fCnt,
            key: frame.port == 0 ? keys.network : keys.application)
        sealed.mic = try mic(of: sealed, fCnt: fCnt, key: keys.network)
        return sealed
    }

    /// The frame with its payload deciphered; nil when its integrity code is wrong for this full counter.
    public func open(_ frame: LoRaWANData, fCnt: UInt32, keys: LoRaWANSessionKeys) throws(DeviceError) -> LoRaWANData? {
        guard try mic(of: frame, fCnt: fCnt, key: keys.network) == frame.mic else { return nil }
        var opened = frame
        opened.payload = try cipher(
            frame.payload, direction: frame.type.direction, devAddr: frame.devAddr, fCnt: fCnt,
            key: frame.port == 0 ? keys.network : keys.application)
        return opened
    }

    private func mic(_ key: LoRaWANKey, _ bytes: [UInt8]) throws(DeviceError) -> UInt32 {
        let code = try crypto.aesCMAC(key: key.bytes, bytes)
        return code.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The blocks B0 and A: first byte, four zeros, direction, address, counter, a zero, last byte.
    private static func block(
        _ first: UInt8, _ direction: LoRaWANDirection, _ devAddr: DevAddr, _ fCnt: UInt32, last: UInt8
    ) -> [UInt8] {
        var block: [UInt8] = [first, 0, 0, 0, 0, direction.rawValue]
        block.appendLittleEndian(devAddr.rawValue)
        block.appendLittleEndian(fCnt)
        block += [0, last]
        return block
    }
}

extension LoRaWANData {
    /// The full counter that belongs to the frame's low 16 bits: the first one not below `expected`.
    public func fullCounter(from expected: UInt32) -> UInt32 {
        let step = fCnt &- UInt16(truncatingIfNeeded: expected)
        return expected &+ UInt32(step)
    }
}
