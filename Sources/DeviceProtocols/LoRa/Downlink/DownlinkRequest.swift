/// A frame that a server wants on the air, not yet judged.
public struct DownlinkRequest: Hashable, Sendable {
    /// When it is to go on the air: the first symbol of its preamble.
    public enum Timing: Hashable, Sendable {
        /// As soon as there is room (class C).
        case immediately
        /// When the low 32 bits of the radio's clock are this: GWMP's `tmst` (class A).
        case counter(UInt32)
        /// When the radio's clock is this, in microseconds (class A).
        case count(UInt64)
        /// At these microseconds of GPS time, since 1980-01-06 (class B).
        case gps(microseconds: UInt64)
        /// The same for the gateway's own beacon, which its reserved time does not keep away.
        case beacon(gpsMicroseconds: UInt64)
    }

    /// The caller's number for it; outcomes carry it.
    public var id: UInt64
    /// When.
    public var timing: Timing
    /// What to radiate in dBm EIRP; nil: what the region allows.
    public var eirp: Int8?
    /// The frame. Its time and power are set by the queue.
    public var frame: RadioDownlink

    /// Makes a request.
    public init(id: UInt64, timing: Timing, eirp: Int8? = nil, frame: RadioDownlink) {
        self.id = id
        self.timing = timing
        self.eirp = eirp
        self.frame = frame
    }

    /// Whether this is a beacon.
    public var isBeacon: Bool {
        if case .beacon = timing { true } else { false }
    }
}
