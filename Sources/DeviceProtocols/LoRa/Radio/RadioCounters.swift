/// What a radio has done since the program's start; a restart of the radio does not reset them.
public struct RadioCounters: Hashable, Sendable {
    /// Frames heard, whatever their checksum.
    public var received: UInt64 = 0
    /// Of these, frames with a wrong checksum.
    public var badCRC: UInt64 = 0
    /// Of these, frames without a checksum.
    public var withoutCRC: UInt64 = 0
    /// Frames that were lost before they reached ``Radio/uplinks``, as far as the radio knows.
    public var lost: UInt64 = 0
    /// Frames taken by ``Radio/transmit(_:)``.
    public var accepted: UInt64 = 0
    /// Frames refused by it.
    public var refused: UInt64 = 0
    /// Frames that have gone on the air.
    public var transmitted: UInt64 = 0
    /// Frames that were taken and never went on the air: too late, overwritten by a later one, aborted.
    public var failed: UInt64 = 0
    /// Of these, frames whose channel was taken (``ListenBeforeTalk``).
    public var channelBusy: UInt64 = 0
    /// Starts that succeeded.
    public var starts: UInt64 = 0
    /// Times at which the clock began anew without a start, as far as the radio knows: that of a forwarder that was
    /// started again, or that is known only now.
    public var clockChanges: UInt64 = 0
    /// Calls to the hardware that failed.
    public var faults: UInt64 = 0

    /// Another number means another clock: counts from before it mean nothing.
    public var clocks: UInt64 { starts &+ clockChanges }

    /// All zero.
    public init() {}
}
