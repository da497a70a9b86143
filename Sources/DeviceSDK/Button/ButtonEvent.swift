public import DeviceCore

/// Something that a button did.
public struct ButtonEvent: Hashable, Sendable {
    /// What it did.
    public enum Kind: String, Hashable, Sendable {
        /// It was pressed.
        case pressed
        /// It was let go.
        case released
        /// It has been down for the button's hold time.
        case held
    }

    /// What it did.
    public let kind: Kind
    /// When, on the monotonic clock of its backend (`held`: on the button's own clock, from its making).
    public let time: MonotonicTime

    /// Makes an event.
    public init(kind: Kind, time: MonotonicTime) {
        self.kind = kind
        self.time = time
    }
}
