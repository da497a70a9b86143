public import NIOCore

extension SMQBrokerStateMachine {
    /// Says goodbye to the clients for whose unique id something has changed: they connect again and are asked again who
    /// they are, and what they may use.
    public mutating func review(isUnchanged: (ByteBuffer) -> Bool) {
        for slot in peers.indices where peers[slot].phase == .open && !peers[slot].isLink {
            guard let uid = peers[slot].uid, !isUnchanged(uid) else { continue }
            end(slot, .refused, text: "your account has changed")
        }
        settle()
    }
}
