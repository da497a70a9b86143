/// Hashes, ciphers and secret randomness, which protocols take from outside: codecs link no library.
public protocol Crypto: Sendable {
    /// SHA-1, 20 bytes.
    func sha1(_ bytes: [UInt8]) throws(DeviceError) -> [UInt8]
    /// HMAC-SHA-512 of the bytes, 64 bytes.
    func hmacSHA512(key: [UInt8], _ bytes: [UInt8]) throws(DeviceError) -> [UInt8]
    /// Whole blocks of 16 bytes, each enciphered by itself with AES-128 (ECB). Throws `.invalidArgument` for a key that
    /// has not 16 bytes and for blocks that are not whole.
    func aes128Encrypt(key: [UInt8], _ blocks: [UInt8]) throws(DeviceError) -> [UInt8]
    /// The reverse of ``aes128Encrypt(key:_:)``.
    func aes128Decrypt(key: [UInt8], _ blocks: [UInt8]) throws(DeviceError) -> [UInt8]
    /// AES-CMAC of the bytes with a key of 16 bytes (RFC 4493), 16 bytes.
    func aesCMAC(key: [UInt8], _ bytes: [UInt8]) throws(DeviceError) -> [UInt8]
    /// Random bytes fit for secrets.
    func randomBytes(_ count: Int) throws(DeviceError) -> [UInt8]
}
