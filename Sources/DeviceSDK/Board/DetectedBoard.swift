public import DeviceCore

/// The machine that this program runs on, as its device tree names it.
public struct DetectedBoard: Sendable {
    /// What the machine calls itself: `Raspberry Pi 4 Model B Rev 1.4`; empty without a device tree (a PC).
    public let model: String
    /// The entries of `compatible`, most specific first.
    public let compatible: [String]
    /// The board of the tables that fits, or nil.
    public let known: Board?

    /// The board, or one without header pins for a machine that the tables do not know.
    public var board: Board { known ?? .unknown(model: model) }

    /// Reads a device tree. A missing or unreadable one gives a machine that nothing is known of.
    public init(deviceTree: String = "/proc/device-tree") {
        model = (try? SystemFile.text(deviceTree + "/model")) ?? ""
        let bytes = (try? SystemFile.read(deviceTree + "/compatible")) ?? []
        compatible = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        known = Board.matching(compatible: compatible)
    }
}
