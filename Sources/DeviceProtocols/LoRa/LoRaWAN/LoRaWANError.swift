/// Why bytes are no LoRaWAN frame.
public enum LoRaWANError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Fewer bytes than a frame of this kind has.
    case truncated(length: Int, needed: Int)
    /// More bytes than the air carries, or another length than a frame of this kind has.
    case wrongLength(Int)
    /// A major version that is not 0, LoRaWAN R1.
    case unknownMajor(UInt8)
    /// The frame options run over the frame's end.
    case optionsOverrun(claimed: Int, available: Int)

    /// A stable word for counters and for limiting log lines.
    public var kind: String {
        switch self {
        case .truncated: "truncated"
        case .wrongLength: "wrong-length"
        case .unknownMajor: "unknown-major"
        case .optionsOverrun: "options-overrun"
        }
    }

    /// One clause that names the fault.
    public var description: String {
        switch self {
        case .truncated(let length, let needed): "a frame of \(length) bytes, shorter than the \(needed) of its kind"
        case .wrongLength(let length): "a frame of \(length) bytes, which its kind never has"
        case .unknownMajor(let major): "LoRaWAN major version \(major); only 0 is known"
        case .optionsOverrun(let claimed, let available):
            "frame options of \(claimed) bytes, where only \(available) are left"
        }
    }
}
