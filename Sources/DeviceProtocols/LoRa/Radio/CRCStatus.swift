/// What the modem found out about a frame's checksum; the numbers are GWMP's `stat`.
public enum CRCStatus: Int8, Sendable {
    /// The checksum is wrong: so is some of the payload.
    case bad = -1
    /// The frame has none.
    case none = 0
    /// The checksum is right.
    case ok = 1
}
