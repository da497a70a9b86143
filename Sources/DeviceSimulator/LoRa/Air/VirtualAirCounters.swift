/// What became of all frames that were on the virtual air: ``sent`` is the sum of the others down to ``stopped``, and
/// of the frames that are still on their way.
public struct VirtualAirCounters: Hashable, Sendable {
    /// Frames that devices sent, and ghosts.
    public var sent: UInt64 = 0
    /// Frames that the concentrator handed out with a right checksum or none.
    public var heard: UInt64 = 0
    /// Frames that it handed out with a wrong checksum.
    public var badCRC: UInt64 = 0
    /// Frames whose preamble or header another frame destroyed.
    public var collided: UInt64 = 0
    /// Frames below the noise.
    public var tooWeak: UInt64 = 0
    /// Frames that found all demodulators taken.
    public var noDemodulator: UInt64 = 0
    /// Frames that came while the concentrator was sending.
    public var whileSending: UInt64 = 0
    /// Frames on a frequency, data rate or sync word that the plan does not have.
    public var notInPlan: UInt64 = 0
    /// Frames that a deaf concentrator did not hear: see ``VirtualFault/deaf``.
    public var deaf: UInt64 = 0
    /// Frames that came while the concentrator was stopped.
    public var stopped: UInt64 = 0
    /// Of ``sent``, frames that nobody sent.
    public var ghosts: UInt64 = 0
    /// Frames refused because ten thousand were on the air already.
    public var refused: UInt64 = 0

    /// All zero.
    public init() {}
}
