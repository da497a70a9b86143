import DeviceCore

/// The computation of RFC 6455, section 4.2.2.
enum WebSocketHandshake {
    /// The answer to a client's key.
    static func accept(key: String) throws(DeviceError) -> String {
        Base64.encode(try OpenSSLCrypto().sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }
}
