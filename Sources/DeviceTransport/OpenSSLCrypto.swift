import CNetShim
public import DeviceCore

/// Hashes and random bytes from the system's OpenSSL.
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
