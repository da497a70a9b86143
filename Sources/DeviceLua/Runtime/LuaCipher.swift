import CNetShim

/// `ba.crypto.symmetric("GCM" | "CBC", key, iv)`: AES by OpenSSL. Also `ba.aesencode` and `ba.aesdecode`.
///
/// Never uses a number twice: a second text of the same GCM object is enciphered with the next initialization vector
/// (the last four bytes are a number), and deciphered with it, because two texts under one vector give both away. CBC
/// goes on from block to block.
final class LuaCipher: LuaResource {
    static let luaClass = LuaClass(
        "cipher",
        methods: [
            "setauth": { call in
                let cipher: LuaCipher = try call.resource(0)
                cipher.extra = try limited(call, 1)
                return .success
            },
            "encrypt": { call in
                let cipher: LuaCipher = try call.resource(0)
                let isPadded = try padding(call, 2)
                let bytes = try limited(call, 1)
                return cipher.isCounter
                    ? try cipher.sealed(isPadded ? padded(bytes) : bytes) : try cipher.chained(bytes, isPadded, 1)
            },
            "decrypt": { call in
                let cipher: LuaCipher = try call.resource(0)
                let bytes = try limited(call, 1)
                guard cipher.isCounter else { return try cipher.chained(bytes, try padding(call, 2), 0) }
                let isPadded = try padding(call, 3)
                guard let plain = try cipher.opened(bytes, try call.bytes(2)) else {
                    return .failure("the text, the tag or the key is not the one that it was enciphered with")
                }
                guard isPadded else { return .value(.bytes(plain)) }
                guard let bare = unpadded(plain) else { return .failure("wrong padding") }
                return .value(.bytes(bare))
            },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private static let maximumBytes = 1 << 20
    private static let tagSize = 16

    private let isCounter: Bool
    private let key: [UInt8]
    private var vector: [UInt8]
    private var extra: [UInt8] = []

    private init(isCounter: Bool, key: [UInt8], vector: [UInt8]) {
        self.isCounter = isCounter
        self.key = key
        self.vector = vector
    }

    func close(in context: LuaContext) { extra = [] }

    static let make: LuaBody = { call in
        let name = try call.string(0)
        guard ["GCM", "CBC"].contains(name) else { throw LuaError(argument: 0, "GCM or CBC is expected") }
        let key = try key(call, 1)
        let vector = try call.bytes(2)
        guard name == "GCM" ? (4...64).contains(vector.count) : vector.count == 16 else {
            throw LuaError(
                argument: 2,
                "an initialization vector of \(name == "GCM" ? "4 to 64 (12 is usual)" : "16") bytes is expected")
        }
        return .value(.object(try call.context.add(LuaCipher(isCounter: name == "GCM", key: key, vector: vector))))
    }

    // MARK: Arguments

    private static func key(_ call: LuaCall, _ index: Int) throws -> [UInt8] {
        let key = try call.bytes(index)
        guard [16, 24, 32].contains(key.count) else {
            throw LuaError(argument: index, "a key of 16, 24 or 32 bytes is expected")
        }
        return key
    }

    private static func limited(_ call: LuaCall, _ index: Int) throws -> [UInt8] {
        try call.withBytes(index) { bytes in
            guard bytes.count <= maximumBytes else {
                throw LuaError(argument: index, "more than \(maximumBytes) bytes at once")
            }
            return Array(bytes)
        }
    }

    private static func padding(_ call: LuaCall, _ index: Int) throws -> Bool {
        guard !call.isNil(index) else { return false }
        guard try call.string(index) == "PKCS7" else { throw LuaError(argument: index, "PKCS7 or nothing is expected") }
        return true
    }

    /// PKCS #7 (RFC 5652, section 6.3).
    private static func padded(_ bytes: [UInt8]) -> [UInt8] {
        let missing = 16 - bytes.count % 16
        return bytes + [UInt8](repeating: UInt8(missing), count: missing)
    }

    private static func unpadded(_ bytes: [UInt8]) -> [UInt8]? {
        guard let last = bytes.last, (1...16).contains(last), bytes.count >= Int(last),
            bytes.suffix(Int(last)).allSatisfy({ $0 == last })
        else { return nil }
        return bytes.dropLast(Int(last))
    }

    // MARK: Work

    private func sealed(_ bytes: [UInt8]) throws -> LuaOutcome {
        guard let (text, tag) = Self.encrypt(bytes, key, vector, extra) else { throw LuaError("OpenSSL refuses this") }
        advance()
        return .values([.bytes(text), .bytes(tag)])
    }

    private func opened(_ bytes: [UInt8], _ tag: [UInt8]) throws -> [UInt8]? {
        guard tag.count == Self.tagSize else {
            throw LuaError(argument: 2, "a tag of \(Self.tagSize) bytes is expected")
        }
        let plain = Self.decrypt(bytes, key, vector, extra, tag)
        advance()
        return plain
    }

    private func advance() {
        for index in vector.indices.suffix(4).reversed() {
            vector[index] &+= 1  // safe: own indices
            if vector[index] != 0 { return }  // safe: own indices
        }
    }

    private func chained(_ bytes: [UInt8], _ isPadded: Bool, _ encrypts: Int32) throws -> LuaOutcome {
        var out = [UInt8](repeating: 0, count: bytes.count + 32)
        let count = cnet_aes_cbc(key, key.count, vector, bytes, bytes.count, encrypts, isPadded ? 1 : 0, &out)
        guard count >= 0 else {
            return .failure(
                encrypts == 1 ? "whole blocks of 16 bytes, or PKCS7, are expected" : "wrong padding or size")
        }
        let result = Array(out.prefix(Int(count)))
        let last = (encrypts == 1 ? result : bytes).suffix(16)
        if last.count == 16 { vector = Array(last) }
        return .value(.bytes(result))
    }

    private static func encrypt(
        _ bytes: [UInt8], _ key: [UInt8], _ vector: [UInt8], _ extra: [UInt8]
    ) -> (text: [UInt8], tag: [UInt8])? {
        var text = [UInt8](repeating: 0, count: bytes.count + tagSize)
        var tag = [UInt8](repeating: 0, count: tagSize)
        guard
            cnet_aes_gcm(
                key, key.count, vector, vector.count, extra, extra.count, bytes, bytes.count, 1, &text, &tag) == 0
        else { return nil }
        return (Array(text.prefix(bytes.count)), tag)
    }

    private static func decrypt(
        _ bytes: [UInt8], _ key: [UInt8], _ vector: [UInt8], _ extra: [UInt8], _ tag: [UInt8]
    ) -> [UInt8]? {
        var plain = [UInt8](repeating: 0, count: bytes.count + tagSize)
        var tag = tag
        guard
            cnet_aes_gcm(
                key, key.count, vector, vector.count, extra, extra.count, bytes, bytes.count, 0, &plain, &tag) == 0
        else { return nil }
        return Array(plain.prefix(bytes.count))
    }

    // MARK: aesencode

    /// `ba.aeskey([size])`
    static let makeKey: LuaBody = { call in
        let size = call.isNil(0) ? 32 : try call.integer(0, in: 16...32, "the size")
        guard size == 16 || size == 32 else { throw LuaError(argument: 0, "16 or 32 is expected") }
        return .value(.bytes(try LuaBytes.random(size)))
    }

    /// `ba.aesencode(key, text)`: a text for addresses and forms, which only who has the key can read or make.
    static let seal: LuaBody = { call in
        let vector = try LuaBytes.random(12)
        guard let (text, tag) = encrypt(try limited(call, 1), try key(call, 0), vector, []) else {
            throw LuaError("OpenSSL refuses this")
        }
        return .value(.bytes(LuaBytes.addressSafe(vector + tag + text)))
    }

    /// `ba.aesdecode(key, text)`
    static let open: LuaBody = { call in
        let key = try key(call, 0)
        guard let bytes = LuaBytes.decoded(try limited(call, 1)), bytes.count >= 28,
            let plain = decrypt(
                Array(bytes.dropFirst(28)), key, Array(bytes.prefix(12)), [], Array(bytes.dropFirst(12).prefix(16)))
        else { return .failure("this was not made by ba.aesencode with that key") }
        return .value(.bytes(plain))
    }
}
