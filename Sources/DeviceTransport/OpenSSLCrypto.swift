import CNetShim
public import DeviceCore

/// Hashes, ciphers and random bytes from the system's OpenSSL.
public struct OpenSSLCrypto: Crypto {
    /// The one there is.
    public init() {}

    /// SHA-1, 20 bytes: only where a protocol demands it (WebSocket handshake, LED demo credentials).
    public func sha1(_ bytes: [UInt8]) throws(DeviceError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 20)
        guard cnet_sha1(bytes, bytes.count, &digest) == 0 else {
            throw DeviceError(.unsupported, "OpenSSL refuses SHA-1 on this system")
        }
        return digest
    }

    /// HMAC-SHA-512, 64 bytes.
    public func hmacSHA512(key: [UInt8], _ bytes: [UInt8]) throws(DeviceError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 64)
        guard cnet_hmac_sha512(key, key.count, bytes, bytes.count, &digest) == 0 else {
            throw DeviceError(.unsupported, "OpenSSL refuses HMAC-SHA-512 on this system")
        }
        return digest
    }

    /// AES-128 of whole blocks, each by itself.
    public func aes128Encrypt(key: [UInt8], _ blocks: [UInt8]) throws(DeviceError) -> [UInt8] {
        try aes128(key: key, blocks, encrypt: true)
    }

    /// The reverse.
    public func aes128Decrypt(key: [UInt8], _ blocks: [UInt8]) throws(DeviceError) -> [UInt8] {
        try aes128(key: key, blocks, encrypt: false)
    }

    private func aes128(key: [UInt8], _ blocks: [UInt8], encrypt: Bool) throws(DeviceError) -> [UInt8] {
        try Self.checkKey(key)
        guard blocks.count % 16 == 0 else {
            throw DeviceError(.invalidArgument, "\(blocks.count) bytes are not whole blocks of 16")
        }
        var result = [UInt8](repeating: 0, count: blocks.count)
        guard cnet_aes128_ecb(key, blocks, blocks.count, encrypt ? 1 : 0, &result) == 0 else {
            throw DeviceError(.unsupported, "OpenSSL refuses AES-128 on this system")
        }
        return result
    }

    /// AES-CMAC, 16 bytes.
    public func aesCMAC(key: [UInt8], _ bytes: [UInt8]) throws(DeviceError) -> [UInt8] {
        try Self.checkKey(key)
        var mac = [UInt8](repeating: 0, count: 16)
        guard cnet_aes_cmac(key, bytes, bytes.count, &mac) == 0 else {
            throw DeviceError(.unsupported, "OpenSSL refuses AES-CMAC on this system")
        }
        return mac
    }

    private static func checkKey(_ key: [UInt8]) throws(DeviceError) {
        guard key.count == 16 else {
            throw DeviceError(.invalidArgument, "an AES-128 key has 16 bytes, this one \(key.count)")
        }
    }

    /// Random bytes fit for secrets.
    public func randomBytes(_ count: Int) throws(DeviceError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: max(0, count))
        guard cnet_random(&bytes, bytes.count) == 0 else {
            throw DeviceError(.io, "OpenSSL's random generator failed")
        }
        return bytes
    }

    /// A secret for addresses of pages: 128 random bits in hexadecimal.
    public func accessToken() throws(DeviceError) -> String {
        try randomBytes(16).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
