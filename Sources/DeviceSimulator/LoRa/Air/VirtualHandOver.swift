/// How long before their time on air frames were handed to the virtual concentrator, in microseconds. Frames without a
/// time are not counted.
public struct VirtualHandOver: Hashable, Sendable {
    /// Frames with a time.
    public private(set) var count: UInt64 = 0
    /// The shortest lead; 0 for a frame whose time had passed. nil without frames.
    public private(set) var least: UInt64?
    /// The longest lead.
    public private(set) var greatest: UInt64?

    /// Nothing yet.
    public init() {}

    mutating func add(lead: UInt64) {
        count += 1
        least = min(lead, least ?? lead)
        greatest = max(lead, greatest ?? lead)
    }
}
