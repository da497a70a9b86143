import DeviceCore
@testable import DeviceProtocols
import DeviceTransport
import NIOCore
import Testing

/// Some brokers with links in memory.
final class LinkedBrokers {
    struct Link {
        var nodes: (Int, Int)
        var ends: (BrokerBench.PeerID, BrokerBench.PeerID)
        var isCut = false
    }

    private(set) var nodes: [BrokerBench] = []
    private(set) var links: [Link] = []
    /// Everything that went over links, by the sending node.
    private(set) var traffic: [ByteBuffer] = []

    static func settings(
        id: UInt64 = 1, name: String = "node", password: String = "cluster password"
    ) -> SMQClusterSettings {
        SMQClusterSettings(
            link: .init(password: Array(password.utf8), crypto: OpenSSLCrypto()), name: name, nodeID: id)
    }

    /// Nodes 0, 1, ... all linked to each other.
    init(_ count: Int, limits: SMQBrokerLimits = SMQBrokerLimits(), isLinked: Bool = true) throws {
        for index in 0..<count {
            let settings = Self.settings(id: UInt64(index + 10), name: "node \(index)")
            // Ids that differ between the nodes.
            let ids = (0..<2000).map { UInt32(index + 1) << 20 | $0 + 256 }
            nodes.append(BrokerBench(limits, cluster: settings, ids: ids))
            traffic.append(ByteBuffer())
        }
        guard isLinked else { return }
        for first in 0..<count { for second in (first + 1)..<max(count, first + 1) { try link(first, second) } }
    }

    /// - Returns: the link's number.
    @discardableResult
    func link(_ first: Int, _ second: Int) throws -> Int {
        let one = try nodes[first].attachLink("10.0.0.\(second)")
        let other = try nodes[second].attachLink("10.0.0.\(first)")
        links.append(Link(nodes: (first, second), ends: (one, other)))
        pump()
        return links.count - 1
    }

    /// Links a node to another, up to where the other is about to be told of its subscriptions.
    ///
    /// - Returns: the first one's end.
    func linkUpToConfirmation(_ first: Int, _ second: Int) throws -> BrokerBench.PeerID {
        let one = try nodes[first].attachLink("10.0.0.\(second)")
        let other = try nodes[second].attachLink("10.0.0.\(first)")
        links.append(Link(nodes: (first, second), ends: (one, other)))
        for _ in 0..<10 where !nodes[first].machine.isUp(one) {
            _ = move(first, one, second, other)
            _ = move(second, other, first, one)
        }
        try #require(nodes[first].machine.isUp(one))
        return one
    }

    /// Lets everything arrive that is on its way.
    func pump() {
        var isBusy = true
        while isBusy {
            isBusy = false
            for link in links where !link.isCut {
                if move(link.nodes.0, link.ends.0, link.nodes.1, link.ends.1) { isBusy = true }
                if move(link.nodes.1, link.ends.1, link.nodes.0, link.ends.0) { isBusy = true }
            }
        }
    }

    private func move(_ from: Int, _ end: BrokerBench.PeerID, _ to: Int, _ other: BrokerBench.PeerID) -> Bool {
        let bytes = nodes[from].wire(end)
        guard bytes.readableBytes > 0 else { return false }
        traffic[from].writeImmutableBuffer(bytes)
        nodes[to].receive(other, bytes)
        return true
    }

    /// Nothing goes over a link any more, and its ends do not notice.
    func cut(_ link: Int) { links[link].isCut = true }

    /// Both ends of a link see the connection end.
    func close(_ link: Int) {
        nodes[links[link].nodes.0].detach(links[link].ends.0)
        nodes[links[link].nodes.1].detach(links[link].ends.1)
        pump()
    }

    func tick(after duration: Duration) {
        for node in nodes { node.tickLinks(after: duration) }
        pump()
    }

    // MARK: What tests do all the time

    @discardableResult
    func subscribe(_ node: Int, _ client: BrokerBench.Client, _ name: String) throws -> UInt32 {
        nodes[node].send(client) { $0.writeSMQ(.subscribe, text: name) }
        pump()
        for frame in try nodes[node].frames(client) { if case .ack(.suback, true, let id, _) = frame { return id } }
        throw Unexpected()
    }

    func publish(_ node: Int, _ client: BrokerBench.Client, to id: UInt32, _ payload: String, subtopic: UInt32 = 0) {
        nodes[node].publish(client, to: id, payload, subtopic: subtopic)
        pump()
    }

    /// Publishes that a client got: destination, publisher, sub-topic, payload.
    func publishes(_ node: Int, _ client: BrokerBench.Client) throws -> [(UInt32, UInt32, UInt32, String)] {
        try nodes[node].frames(client).compactMap {
            guard case .publish(let to, let from, let sub, let payload) = $0 else { return nil }
            return (to, from, sub, String(buffer: payload))
        }
    }
}

extension BrokerBench {
    func attachLink(_ address: String, isDialed: Bool = false) throws -> PeerID {
        let new = machine.attachLink(address: address, isDialed: isDialed, now: now)
        let peer = try #require(new)
        settle()
        return peer
    }

    func tickLinks(after duration: Duration) {
        now = now + duration
        machine.tickLinks(status: NodeStatus(clients: UInt32(machine.clientCount)), now: now)
        settle()
    }
}
