public import DeviceCore

/// What became of a frame to send: `txpk_ack` in TX_ACK.
public struct GWMPTxpkAck: Hashable, Sendable {
    /// A word of the protocol for a fault or a warning. Servers and gateways add their own.
    public struct Reason: Hashable, Sendable, CustomStringConvertible {
        /// The word as it stands in the datagram.
        public let description: String

        /// Makes a reason from its word.
        public init(_ word: String) { description = word }

        /// Its time was already past.
        public static let tooLate = Reason("TOO_LATE")
        /// Its time is too far ahead.
        public static let tooEarly = Reason("TOO_EARLY")
        /// Another frame has the time, or the queue is full.
        public static let collisionPacket = Reason("COLLISION_PACKET")
        /// A beacon has the time.
        public static let collisionBeacon = Reason("COLLISION_BEACON")
        /// The radio does not send on this frequency.
        public static let txFreq = Reason("TX_FREQ")
        /// The radio does not have this power. Since protocol 2.1 a warning: it was sent with less.
        public static let txPower = Reason("TX_POWER")
        /// GPS time was asked for and there is none.
        public static let gpsUnlocked = Reason("GPS_UNLOCKED")
        /// Something else.
        public static let unknown = Reason("UNKNOWN")
    }

    /// Why it was refused; nil when it was accepted.
    public var error: Reason?
    /// What was changed about it, though it was accepted.
    public var warn: Reason?
    /// The value used instead, with ``warn``: the power in dBm.
    public var value: Double?

    /// Makes an answer; without arguments the frame was accepted as it is.
    public init(error: Reason? = nil, warn: Reason? = nil, value: Double? = nil) {
        self.error = error
        self.warn = warn
        self.value = value
    }

    /// Reads the JSON of a TX_ACK. The error "NONE" of old forwarders is none.
    public init(_ json: JSONValue) throws(GWMPError) {
        self.init()
        let outer = try GWMPFields(json, "TX_ACK")
        guard let ack = outer.value("txpk_ack") else { return }
        let fields = try GWMPFields(ack, "txpk_ack")
        error = try Self.reason(fields, "error")
        warn = try Self.reason(fields, "warn")
        value = try fields.number("value", in: -1e9...1e9)
    }

    private static func reason(_ fields: GWMPFields, _ key: String) throws(GWMPError) -> Reason? {
        guard let word = try fields.text(key), word != "NONE", !word.isEmpty else { return nil }
        return Reason(GWMPFields.cut(word))
    }

    /// The JSON of a TX_ACK on one line; empty when the frame was accepted as it is.
    public var json: String {
        guard self != GWMPTxpkAck() else { return "" }
        var writer = GWMPObjectWriter()
        writer.string("error", error?.description)
        writer.string("warn", warn?.description)
        writer.number("value", value)
        return "{\"txpk_ack\":\(writer.text)}"
    }
}
