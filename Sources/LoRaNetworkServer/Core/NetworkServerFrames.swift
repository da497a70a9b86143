package import DeviceProtocols

/// How a gateway named the moment of a frame, in the words of its protocol.
package enum GatewayMoment: Hashable, Sendable {
    /// GWMP: the low half of the radio's clock in microseconds.
    case counter(UInt32)
    /// Basics Station: its time and context, which go back as they came.
    case station(xtime: Int64, rctx: Int64)
}

/// A frame that a gateway has passed on.
package struct ServerUplink: Sendable {
    var gateway: EUI64
    var moment: GatewayMoment
    var frequency: RadioFrequency
    var modulation: LoRaModulation
    var payload: [UInt8]

    /// A frame, as a gateway tells it.
    package init(
        gateway: EUI64, moment: GatewayMoment, frequency: RadioFrequency, modulation: LoRaModulation, payload: [UInt8]
    ) {
        self.gateway = gateway
        self.moment = moment
        self.frequency = frequency
        self.modulation = modulation
        self.payload = payload
    }
}

/// A frame for a gateway to send.
package struct ServerDownlink: Sendable {
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

extension ServerDownlink {
    /// The frame for a forwarder.
    package var txpk: GWMPTxpk {
        let timing: GWMPTxpk.Timing =
            switch slot {
            case .first(.counter(let counter), let delay): .counter(counter &+ UInt32(delay) * 1_000_000)
            case .second(.counter(let counter), let delay): .counter(counter &+ (UInt32(delay) + 1) * 1_000_000)
            default: .immediately
            }
        var txpk = GWMPTxpk(
            timing: timing, freq: frequency, powe: power, modulation: modulation, codr: .fourFifths, ipol: true,
            payload: payload, ncrc: true)
        if case .fsk = modulation {
            txpk.codr = nil
            txpk.fdev = 25_000
        }
        return txpk
    }
}
