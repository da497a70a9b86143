/// An AES-128 key. It is never printed.
public struct LoRaWANKey: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The 16 bytes.
    public let bytes: [UInt8]

    /// Makes a key from 16 bytes; nil for another number.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads 32 hexadecimal digits; nil for anything else.
    public init?(_ text: String) {
        guard let bytes = HexText.bytes(from: text) else { return nil }
        self.init(bytes)
    }

    /// Says that there is a key.
    public var description: String { "(key)" }
    /// The same.
    public var debugDescription: String { description }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The keys of a session with LoRaWAN 1.0.
public struct LoRaWANSessionKeys: Hashable, Sendable {
    /// Integrity of all frames, cipher of MAC commands (NwkSKey).
    public var network: LoRaWANKey
    /// Cipher of the application's payload (AppSKey).
    public var application: LoRaWANKey

    /// Makes a pair.
    public init(network: LoRaWANKey, application: LoRaWANKey) {
        self.network = network
        self.application = application
    }
}
