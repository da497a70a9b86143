import DeviceCore
import DeviceProtocols
import NIOCore

/// The gateways that were heard, of which there may be only so many: their EUIs come from outside and cost nothing
/// to invent.
///
/// When the table is full, a gateway that was silent for ``staleAfter`` makes room, the longest silent one first.
/// While there is none, new gateways are refused: nobody can push out those that are in use.
struct GatewayTable {
    struct Gateway {
        var eui: GatewayEUI
        /// Where its last PULL_DATA came from: where frames to send would have to go. nil before the first.
        var pullAddress: SocketAddress?
        /// Where its last PUSH_DATA came from.
        var pushAddress: SocketAddress?
        var firstSeen: MonotonicTime
        var lastSeen: MonotonicTime
        var pushData: UInt64 = 0
        var pullData: UInt64 = 0
        var frames: UInt64 = 0
        /// Frames and reports that could not be read, and datagrams without JSON.
        var rejected: UInt64 = 0
    }

    enum Outcome: Hashable {
        case known
        case new
        /// New, in the place of one that was silent.
        case replaced(GatewayEUI)
        case refused
    }

    let limit: Int
    let staleAfter: Duration
    private var gateways: [GatewayEUI: Gateway] = [:]
    /// Before this time no gateway can be stale: a flood of invented EUIs does not cost a search each.
    private var nextSearch = MonotonicTime.zero

    init(limit: Int, staleAfter: Duration = .seconds(600)) {
        self.limit = limit
        self.staleAfter = staleAfter
    }

    var count: Int { gateways.count }

    /// All gateways, by EUI.
    var all: [Gateway] { gateways.values.sorted { $0.eui < $1.eui } }

    /// Makes room for a gateway if it is new and can have some, and changes its entry.
    mutating func update(
        _ eui: GatewayEUI, at now: MonotonicTime, _ change: (inout Gateway) -> Void
    ) -> Outcome {
        var outcome = Outcome.known
        if gateways[eui] == nil {
            outcome = admit(eui, at: now)
            guard outcome != .refused else { return .refused }
        }
        var gateway = gateways[eui] ?? Gateway(eui: eui, firstSeen: now, lastSeen: now)
        gateway.lastSeen = now
        change(&gateway)
        gateways[eui] = gateway
        return outcome
    }

    private mutating func admit(_ eui: GatewayEUI, at now: MonotonicTime) -> Outcome {
        if gateways.count < limit { return .new }
        guard now >= nextSearch, let oldest = gateways.values.min(by: { $0.lastSeen < $1.lastSeen }) else {
            return .refused
        }
        guard now - oldest.lastSeen >= staleAfter else {
            nextSearch = oldest.lastSeen + staleAfter
            return .refused
        }
        gateways[oldest.eui] = nil
        return .replaced(oldest.eui)
    }
}
