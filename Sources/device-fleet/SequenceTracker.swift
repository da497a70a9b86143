/// Which messages of one sender have come: what is missing, and what came twice.
///
/// It holds the next number and the gaps before it, so a sender that loses nothing costs no memory beyond that.
struct SequenceTracker: Sendable {
    enum Verdict: Hashable, Sendable {
        /// It came for the first time.
        case new
        /// It came before.
        case duplicate
        /// It is older than what is remembered: one or the other.
        case unknown
    }

    /// Gaps that are remembered; then the oldest is given up, and what comes of it is ``Verdict/unknown``.
    static let gapLimit = 64
    /// Different messages so far.
    private(set) var received: UInt64 = 0
    private var next: UInt64 = 1
    private var gaps: [Range<UInt64>] = []
    /// Below it gaps were given up.
    private var floor: UInt64 = 1

    /// A message with this number has come; from 1.
    mutating func receive(_ sequence: UInt32) -> Verdict {
        let sequence = UInt64(sequence)
        if sequence >= next {
            if sequence > next {
                if gaps.count == Self.gapLimit { floor = gaps.removeFirst().upperBound }
                gaps.append(next..<sequence)
            }
            next = sequence + 1
            received += 1
            return .new
        }
        guard let index = gaps.firstIndex(where: { $0.contains(sequence) }) else {
            return sequence < floor ? .unknown : .duplicate
        }
        let gap = gaps.remove(at: index)
        if gap.upperBound > sequence + 1 { gaps.insert(sequence + 1..<gap.upperBound, at: index) }
        if gap.lowerBound < sequence { gaps.insert(gap.lowerBound..<sequence, at: index) }
        // Splitting can make one more than the limit.
        if gaps.count > Self.gapLimit { floor = gaps.removeFirst().upperBound }
        received += 1
        return .new
    }
}
