import DeviceProtocols

/// Keeps back what nobody sent: ghosts, mirror images and frames that came twice.
///
/// - A ghost has no coding rate in its header (`OFF`); modems make such frames of noise.
/// - A strong frame is also heard on other channels, where the receiver's mixer puts its image: the same bytes with the
///   same data rate at the same time. The one heard best stays, by Basics Station's measure of 8 times the SNR plus
///   the RSSI.
struct FrameSieve {
    struct Counters: Hashable, Sendable {
        var passed: UInt64 = 0
        var ghosts: UInt64 = 0
        var mirrors: UInt64 = 0
        var badCRC: UInt64 = 0
    }

    /// Frames whose ends are nearer than this, in microseconds, are at the same time.
    private static let span: UInt64 = 20_000
    /// Frames that are remembered for those that come with the next batch.
    private static let memory = 16

    private(set) var counters = Counters()
    private var recent: [RadioUplink] = []

    /// The frames of a batch that were really sent, in their order. Those with a wrong checksum pass: each up-link
    /// decides on them.
    mutating func sift(_ batch: [RadioUplink]) -> [RadioUplink] {
        var kept: [RadioUplink] = []
        kept.reserveCapacity(batch.count)
        for frame in batch {
            if frame.crc == .bad { counters.badCRC += 1 }
            if frame.codingRate == .off {
                counters.ghosts += 1
                continue
            }
            if recent.contains(where: { Self.isSame($0, frame) }) {
                // The other one is on its way already.
                counters.mirrors += 1
                continue
            }
            if let index = kept.lastIndex(where: { Self.isSame($0, frame) }) {
                counters.mirrors += 1
                if Self.quality(frame) > Self.quality(kept[index]) { kept[index] = frame }  // safe: found above
                continue
            }
            kept.append(frame)
        }
        counters.passed += UInt64(kept.count)
        recent = Array(kept.count < Self.memory ? (recent + kept).suffix(Self.memory) : kept.suffix(Self.memory))
        return kept
    }

    private static func isSame(_ one: RadioUplink, _ other: RadioUplink) -> Bool {
        let distance = one.count > other.count ? one.count - other.count : other.count - one.count
        return distance < span && one.modulation == other.modulation && one.payload == other.payload
    }

    private static func quality(_ frame: RadioUplink) -> Double {
        // A right checksum is worth more than any strength.
        (frame.crc == .bad ? -10_000 : 0) + 8 * (frame.snr ?? 0) + frame.rssi
    }
}
