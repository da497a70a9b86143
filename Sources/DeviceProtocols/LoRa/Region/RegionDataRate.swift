/// One data rate of a region.
public struct RegionDataRate: Hashable, Sendable {
    /// Who sends with it.
    public enum Use: Hashable, Sendable {
        /// Devices and gateways.
        case both
        /// Devices.
        case up
        /// Gateways.
        case down
    }

    /// How it is modulated; nil for LR-FHSS, which today's concentrators do not hear.
    public var modulation: LoRaModulation?
    /// Who sends with it.
    public var use: Use
    /// The longest MACPayload (FHDR, port and payload) in bytes, without repeaters.
    public var maximumPayload: UInt8
    /// The same while sending is limited in time; 0: nothing may be sent.
    public var maximumPayloadWithDwell: UInt8

    static func lora(
        _ factor: UInt8, _ bandwidth: UInt16, _ maximum: UInt8, _ use: Use = .both, dwell: UInt8? = nil
    ) -> RegionDataRate {
        RegionDataRate(
            modulation: .lora(LoRaDataRate(spreadingFactor: factor, bandwidth: bandwidth)), use: use,
            maximumPayload: maximum, maximumPayloadWithDwell: dwell ?? maximum)
    }

    static func fsk(_ maximum: UInt8) -> RegionDataRate {
        RegionDataRate(
            modulation: .fsk(bitRate: 50_000), use: .both, maximumPayload: maximum, maximumPayloadWithDwell: maximum)
    }

    static func lrFHSS(_ maximum: UInt8) -> RegionDataRate {
        RegionDataRate(modulation: nil, use: .up, maximumPayload: maximum, maximumPayloadWithDwell: maximum)
    }
}
