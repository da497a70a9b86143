import Synchronization

/// A source of ids that are small and repeat, so that an input can guess them and two of them collide.
public final class SmallIDs: Sendable {
    private let next = Atomic<UInt32>(0)

    /// Starts again for each input.
    public init() {}

    /// 7, 14, 21 … below 64.
    public func make() -> UInt32 { next.wrappingAdd(7, ordering: .relaxed).newValue & 63 }
}
