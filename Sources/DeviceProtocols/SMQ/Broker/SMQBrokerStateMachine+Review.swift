public import NIOCore

extension SMQBrokerStateMachine {
    static let changed = "your account has changed"

    /// Says goodbye to the clients for whose unique id something has changed: they connect again and are asked again who
    /// they are, and what they may use.
    public mutating func review(isUnchanged: (ByteBuffer) -> Bool) {
        for slot in peers.indices where !peers[slot].isLink {
            guard let uid = peers[slot].uid, !isUnchanged(uid) else { continue }
            switch peers[slot].phase {
            case .open: dismiss(slot, .refused, text: Self.changed)
            // The hook may have decided already, by what was valid before.
            case .authenticating: peers[slot].hasChanged = true
            case .free, .awaitingConnect, .link, .ending: break
            }
        }
        settle()
    }
}
