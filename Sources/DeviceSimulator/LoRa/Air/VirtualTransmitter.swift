import DeviceCore
import DeviceProtocols

/// The sending half of the virtual concentrator: each RF chain has room for one frame, as the chips have.
struct VirtualTransmitter {
    /// Time that the modem needs from its trigger to the first symbol (the HAL's TX_START_DELAY), in microseconds.
    static let startDelay: UInt64 = 1500

    /// A frame that waits or is on the air.
    struct Frame {
        var number: UInt64
        var downlink: RadioDownlink
        /// World time of the first and after the last symbol.
        var start: UInt64
        var end: UInt64
    }

    private struct Chain {
        var transmitRange: ClosedRange<RadioFrequency>
        var waiting: Frame?
        var emitting: Frame?
        /// The last frame was not sent, because its channel was taken.
        var wasBusy = false
    }

    private(set) var accepted: UInt64 = 0
    private(set) var refused: UInt64 = 0
    private(set) var transmitted: UInt64 = 0
    private(set) var failed: UInt64 = 0
    private(set) var channelBusy: UInt64 = 0
    private(set) var handOver = VirtualHandOver()
    private var listening: ListenBeforeTalk?
    private var chains: [UInt8: Chain] = [:]
    private var number: UInt64 = 0

    /// Whether anything is on the air.
    var isEmitting: Bool { chains.values.contains { $0.emitting != nil } }

    mutating func start(_ plan: RadioPlan) {
        chains = [:]
        listening = plan.listenBeforeTalk
        for (index, chain) in plan.rfChains.enumerated() {
            guard let number = UInt8(exactly: index), chain.isEnabled, let range = chain.transmitRange else { continue }
            chains[number] = Chain(transmitRange: range)
        }
    }

    /// Ends all; what waits or is on the air is lost.
    mutating func stop() {
        for number in chains.keys { _ = abort(number) }
        chains = [:]
    }

    /// Takes a frame.
    ///
    /// - Parameter start: world time of its first symbol; nil: at once.
    /// - Returns: what now waits; nil when its time has passed already.
    mutating func take(_ downlink: RadioDownlink, start: UInt64?, at now: UInt64) throws(DeviceError) -> Frame? {
        do throws(DeviceError) {
            try check(downlink)
        } catch {
            refused += 1
            throw error
        }
        accepted += 1
        if chains[downlink.rfChain]?.waiting != nil { failed += 1 }
        chains[downlink.rfChain]?.waiting = nil
        chains[downlink.rfChain]?.wasBusy = false
        let earliest = now + Self.startDelay
        if let start {
            handOver.add(lead: start > now ? start - now : 0)
            // The chip compares for equality: its time comes again when the counter has gone round.
            guard start >= earliest else {
                failed += 1
                return nil
            }
        }
        let begin = start ?? earliest
        number += 1
        let (end, overflow) = begin.addingReportingOverflow(TimeOnAir.microseconds(of: downlink))
        let frame = Frame(number: number, downlink: downlink, start: begin, end: overflow ? .max : end)
        chains[downlink.rfChain]?.waiting = frame
        return frame
    }

    private func check(_ downlink: RadioDownlink) throws(DeviceError) {
        guard let chain = chains[downlink.rfChain] else {
            throw DeviceError(
                .invalidArgument, "the virtual concentrator's RF chain \(downlink.rfChain) does not send",
                hint: "Use a chain with tx_enable")
        }
        guard chain.transmitRange.contains(downlink.frequency) else {
            throw DeviceError(
                .invalidArgument,
                "\(downlink.frequency) is outside what RF chain \(downlink.rfChain) sends on, "
                    + "\(chain.transmitRange.lowerBound) to \(chain.transmitRange.upperBound)")
        }
        if let listening {
            guard let channel = listening.channel(at: downlink.frequency),
                TimeOnAir.microseconds(of: downlink) <= channel.longestFrame ?? .max
            else {
                throw DeviceError(
                    .invalidArgument,
                    "a frame of that length on \(downlink.frequency) is not among the channels of LBT",
                    hint: "Add the channel to lbt.channels, with a longer transmit_time_ms")
            }
        }
        guard downlink.payload.count <= 255 else {
            throw DeviceError(.invalidArgument, "\(downlink.payload.count) bytes do not fit into a frame of 255")
        }
        guard chain.emitting == nil else {
            throw DeviceError(
                .busy, "RF chain \(downlink.rfChain) is sending", hint: "Hand over when its status is free")
        }
    }

    /// The frame that waits, by its number; nil when it was overwritten or aborted.
    func waiting(_ chain: UInt8, _ number: UInt64) -> RadioDownlink? {
        guard let frame = chains[chain]?.waiting, frame.number == number else { return nil }
        return frame.downlink
    }

    /// The waiting frame's channel is taken: it is not sent.
    mutating func giveUp(_ chain: UInt8) {
        chains[chain]?.waiting = nil
        chains[chain]?.wasBusy = true
        failed += 1
        channelBusy += 1
    }

    /// The waiting frame's time has come.
    ///
    /// - Returns: the frame, now on the air; nil when it was overwritten or aborted.
    mutating func begin(_ chain: UInt8, _ number: UInt64) -> Frame? {
        guard let frame = chains[chain]?.waiting, frame.number == number else { return nil }
        chains[chain]?.waiting = nil
        chains[chain]?.emitting = frame
        return frame
    }

    /// The frame on the air is over.
    ///
    /// - Returns: the frame; nil when it was aborted.
    mutating func end(_ chain: UInt8, _ number: UInt64) -> Frame? {
        guard let frame = chains[chain]?.emitting, frame.number == number else { return nil }
        chains[chain]?.emitting = nil
        transmitted += 1
        return frame
    }

    /// Takes back what waits or is on the air.
    ///
    /// - Returns: whether something was on the air.
    mutating func abort(_ chain: UInt8) -> Bool {
        guard let state = chains[chain] else { return false }
        if state.waiting != nil { failed += 1 }
        if state.emitting != nil { failed += 1 }
        chains[chain]?.waiting = nil
        chains[chain]?.emitting = nil
        return state.emitting != nil
    }

    func status(_ chain: UInt8) -> RadioTransmitStatus {
        guard let state = chains[chain] else { return .off }
        if state.emitting != nil { return .emitting }
        if state.waiting != nil { return .scheduled }
        return state.wasBusy ? .channelBusy : .free
    }
}
