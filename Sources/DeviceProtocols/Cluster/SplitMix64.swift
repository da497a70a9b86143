/// A small fast random generator for jitter and choices; not for secrets. The same seed gives the same numbers.
///
/// Rather than the system's one where it is passed on: that has no bytes of its own, and ThreadSanitizer takes the
/// address of nothing, as `inout` then passes, for memory, and crashes.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// With a seed.
    public init(seed: UInt64) { state = seed }

    /// With a seed from the system.
    public init() { state = UInt64.random(in: .min ... .max) }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
