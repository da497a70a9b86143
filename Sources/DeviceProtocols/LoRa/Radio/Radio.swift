public import DeviceCore

/// A LoRa concentrator: a HAL's, a simulated one, or another forwarder's.
///
/// One owner starts, feeds and stops it; the implementation serialises what its hardware needs serialised (libloragw is
/// not thread safe), so any thread may call. A radio may be started again after ``stop()``: that is how a deaf one is
/// brought back without restarting the process.
public protocol Radio: AnyObject, Sendable {
    /// What this radio is, for a person: `virtual concentrator`, `SX1302 on /dev/spidev0.0`.
    var name: String { get }
    /// How long before its time on air a frame has to be handed over by ``transmit(_:)``, in microseconds: at least the
    /// lower bound, or it is lost; at most the upper, or it blocks the sender for others.
    ///
    /// 10 to 60 ms for a concentrator of our own; more for one behind another forwarder, which has a queue itself.
    var handOver: ClosedRange<UInt64> { get }
    /// Whether it can listen before it sends (``RadioPlan/listenBeforeTalk``). One that cannot leaves it out.
    var listensBeforeTalk: Bool { get }
    /// What was heard, oldest first, for one reader, which takes whole batches with `takeAll`. It is one stream for all
    /// starts, and ``stop()`` does not end it. Bounded: what nobody read in time is counted in its `dropped`.
    var uplinks: BoundedStream<RadioUplink> { get }
    /// What it has done so far.
    var counters: RadioCounters { get }
    /// The tie to GPS time; nil without a valid one (no GPS, no fix, or older than 30 s).
    var timeReference: RadioTimeReference? { get }

    /// Starts the radio with a plan: seconds on real hardware (firmware, calibration). The clock may start anew, so
    /// counts from before mean nothing after it. A radio that runs is stopped first.
    ///
    /// Throws `.configuration` for a plan that the radio cannot have, `.busy`, `.permission`, `.io` or `.unavailable`
    /// for hardware that does not answer.
    func start(_ plan: RadioPlan) async throws(DeviceError)
    /// Stops it; a frame on the air or waiting is lost. Does nothing when it is stopped.
    func stop() async
    /// The radio's clock in microseconds, 64 bits, never back while the radio runs.
    ///
    /// Where the hardware has fewer bits the radio extends them, for which this has to be called at least once a minute
    /// (the SX1302's counter has 27 bits and returns to zero after 134 s). A radio that cannot be read repeats its last
    /// value: a clock that stands still is how a watchdog sees it.
    func now() -> UInt64
    /// Hands a frame to the RF chain's modem. There is room for one: a later frame overwrites one that waits, and
    /// nothing can be handed over while one is on the air. The caller's queue keeps both from happening.
    ///
    /// Throws `.invalidArgument` for a chain, frequency, power or length that the radio does not have, `.busy` while it
    /// emits, `.closed` when it is stopped, `.io`.
    func transmit(_ downlink: RadioDownlink) throws(DeviceError)
    /// What the RF chain's sender does now; `.off` for a chain that does not exist. Polled.
    func transmitStatus(rfChain: UInt8) -> RadioTransmitStatus
    /// Takes back a frame that waits or is on the air; does nothing when there is none.
    func abortTransmit(rfChain: UInt8)
}

extension Radio {
    /// It cannot.
    public var listensBeforeTalk: Bool { false }
}
