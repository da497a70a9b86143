import DeviceProtocols

/// How a gateway named the moment of a frame, in the words of its protocol.
enum GatewayMoment: Hashable, Sendable {
    /// GWMP: the low half of the radio's clock in microseconds.
    case counter(UInt32)
    /// Basics Station: its time and context, which go back as they came.
    case station(xtime: Int64, rctx: Int64)
}

/// A frame that a gateway has passed on.
struct ServerUplink: Sendable {
    var gateway: EUI64
    var moment: GatewayMoment
    var frequency: RadioFrequency
    var modulation: LoRaModulation
    var payload: [UInt8]
}

/// A frame for a gateway to send.
struct ServerDownlink: Sendable {
    /// When it goes on the air.
    enum Slot: Hashable, Sendable {
        /// So many seconds after the uplink's end, in the first window.
        case first(GatewayMoment, delay: UInt8)
        /// A second later than the first window would be, in the second.
        case second(GatewayMoment, firstDelay: UInt8)
        /// At once: class C.
        case atOnce
    }

    /// The server's own number, by which its fate is told.
    var number: UInt64
    var gateway: EUI64
    var devEUI: EUI64
    var slot: Slot
    var frequency: RadioFrequency
    var modulation: LoRaModulation
    var dataRate: UInt8
    var power: Int8
    var payload: [UInt8]
}
