/// Hashes, ciphers and secret randomness, which protocols take from outside: codecs link no library.
public protocol Crypto: Sendable {
    /// SHA-1, 20 bytes.
    func sha1(_ bytes: [UInt8]) throws(DeviceError) -> [UInt8]
    /// HMAC-SHA-512 of the bytes, 64 bytes.
    func hmacSHA512(key: [UInt8], _ bytes: [UInt8]) throws(DeviceError) -> [UInt8]
    /// Random bytes fit for secrets.
    func randomBytes(_ count: Int) throws(DeviceError) -> [UInt8]
}
