import DeviceCore
import DeviceLua

/// Both ways of a gateway's frames past its scripts. Lives on the gateway's event loop.
final class FrameGates {
    /// A frame that a server wants sent.
    struct Wish {
        var downlink: ServerDownlink
        var channel: UplinkChannel
    }

    /// How long frames wait for scripts at most.
    struct Patience: Sendable {
        /// A network server collects frames of several gateways for some 200 ms, and answers a second after the frame.
        var uplink = Duration.milliseconds(100)
        /// A server waits for TX_ACK.
        var downlink = Duration.milliseconds(50)
    }

    let uplinks: ScriptGate<ReceivedFrame>
    let downlinks: ScriptGate<Wish>
    private unowned let core: GatewayCore
    private let patience: Patience

    init(_ hooks: ScriptHooks, core: GatewayCore, patience: Patience) {
        self.core = core
        self.patience = patience
        uplinks = ScriptGate(
            hooks, .uplink, patience: patience.uplink, context: core.context, question: FrameQuestion.uplink
        ) { [unowned core] frame, decision in
            switch decision {
            case .pass: core.offer(frame)
            case .refuse: break
            case .change(let answer):
                guard let changed = ChangedUplink(frame, answer) else {
                    core.warn("script-uplink", "a script made of an uplink what no frame can be; it went on as it was")
                    return false
                }
                core.offer(changed.frame, to: changed.receivers)
            }
            return true
        }
        downlinks = ScriptGate(
            hooks, .downlink, patience: patience.downlink, context: core.context,
            question: { FrameQuestion.downlink($0.downlink, from: $0.channel.configuration.name) }
        ) { [unowned core] wish, decision in
            switch decision {
            case .pass: core.desk.submit(wish.downlink, from: wish.channel)
            case .refuse(let reason): core.desk.refuse(wish.downlink, from: wish.channel, reason: reason)
            case .change(let answer):
                guard let changed = wish.downlink.changed(by: answer) else {
                    core.warn(
                        "script-downlink", "a script gave a downlink a power that there is not; it stays as it was")
                    return false
                }
                core.desk.submit(changed, from: wish.channel)
            }
            return true
        }
    }

    /// Takes a frame that a server wants sent; one with little time left goes to the queue at once.
    func take(_ downlink: ServerDownlink, from channel: UplinkChannel) {
        let slack = core.desk.slack(of: downlink).map { Duration.microseconds(Int64(clamping: $0)) }
        downlinks.take(
            Wish(downlink: downlink, channel: channel), hasTime: slack.map { $0 > patience.downlink } ?? true)
    }

    /// Lets all that waits go on as it is.
    func flush() {
        uplinks.flush()
        downlinks.flush()
    }
}
