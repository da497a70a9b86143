/// What a concentrator listens to and may send: the content of Semtech's `SX130x_conf`, in the field's units.
public struct RadioPlan: Hashable, Sendable {
    /// The RF chains by number; concentrators have two.
    public var rfChains: [RadioRFChain]
    /// The IF chains that are on.
    public var channels: [RadioChannel]
    /// The sync word: LoRaWAN's public networks (0x34) or private ones (0x12).
    public var isPublic: Bool
    /// The antenna's gain in dBi less the cable's loss; subtracted from the power that a server asks for.
    public var antennaGain: Double
    /// Whether and how it listens before it sends; nil: it does not.
    public var listenBeforeTalk: ListenBeforeTalk?

    /// Makes a plan.
    public init(
        rfChains: [RadioRFChain], channels: [RadioChannel], isPublic: Bool = true, antennaGain: Double = 0
    ) {
        self.rfChains = rfChains
        self.channels = channels
        self.isPublic = isPublic
        self.antennaGain = antennaGain
    }
}
