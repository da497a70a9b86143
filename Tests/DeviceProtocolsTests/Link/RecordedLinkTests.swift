import DeviceCore
@testable import DeviceProtocols
import FoundationEssentials
import NIOCore
import Testing

/// A link between two of the vendor's nodes, replayed against each end of ours.
@Suite struct RecordedLinkTests {
    private let first: [ByteBuffer]
    private let second: [ByteBuffer]

    init() throws {
        var folder = #filePath.split(separator: "/").dropLast(3)
        folder.append(contentsOf: ["Vectors", "smq-cluster-link.txt"])
        let text = try String(contentsOf: URL(filePath: "/" + folder.joined(separator: "/")), encoding: .utf8)
        var sides: [Substring: [ByteBuffer]] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            guard words.count > 4 else { continue }
            let bytes = words[4...].compactMap { UInt8($0, radix: 16) }
            sides[words[1], default: []].append(ByteBuffer(bytes: bytes))
        }
        first = try #require(sides["127.0.0.1:39567"])
        second = try #require(sides["127.0.0.2:1900"])
        try #require(first.count == 4 && second.count == 8)
    }

    /// What a node sent, without the channel that the vendor's nodes do not have.
    private func sent(_ node: BrokerBench, _ link: BrokerBench.PeerID) throws -> [ByteBuffer] {
        var rest = node.wire(link)
        var frames: [ByteBuffer] = []
        while let length = rest.getInteger(at: rest.readerIndex, as: UInt32.self) {
            guard let frame = rest.readSlice(length: Int(length)) else { throw Leftover(bytes: rest.readableBytes) }
            if !String(buffer: frame).hasSuffix("DeviceSDK-1") {
                frames.append(ByteBuffer(bytes: frame.readableBytesView))
            }
        }
        return frames
    }

    private func join(_ pieces: [ByteBuffer]) -> ByteBuffer {
        bytes { for piece in pieces { $0.writeImmutableBuffer(piece) } }
    }

    /// The subscriber's node: every byte that it sends is the recorded one, however the other's bytes are cut.
    @Test func theSubscribersNode() throws {
        let stream = join(second)
        for pieces in splits(of: stream, step: 3) {
            // Weight and channels of the link; seed, ETID and topic of the client.
            let ids: [UInt32] = [0x4bb9_621a, 0x5eea, 0x7777, 1, 0x1111_1111, 0x4f9f_cb07, 0x2222_2222]
            let node = BrokerBench(cluster: LinkedBrokers.settings(), ids: ids)
            let link = try node.attachLink("127.0.0.2")
            let client = try node.open("client")
            try node.subscribe(client, "clu/topic")
            for piece in pieces { node.receive(link, piece) }
            #expect(try sent(node, link) == first)
            #expect(node.closedLinks.isEmpty)
            let publishes = try node.frames(client).compactMap { frame -> String? in
                guard case .publish(0x4f9f_cb07, 0x2222_2222, 0, let payload) = frame else { return nil }
                return String(buffer: payload)
            }
            #expect(publishes == ["1", "2", "3", "4"])
            // The release at the end has taken the publisher out.
            #expect(node.machine.phantomCount == 0)
        }
    }

    /// The publisher's node: what it sends is the recorded link's other half, byte for byte.
    @Test func thePublishersNode() throws {
        let ids: [UInt32] = [0x6024_2c2b, 0xd548, 0x7777, 0x0101_0101, 1, 0x7ea9_d9d0]
        let node = BrokerBench(cluster: LinkedBrokers.settings(), ids: ids)
        let link = try node.attachLink("127.0.0.1")
        for piece in first { node.receive(link, piece) }
        let client = try node.open("client")
        let topic = try node.create(client, "clu/topic")
        for number in 1...4 { node.publish(client, to: topic, "\(number)") }
        node.send(client) { $0.writeSMQ(.disconnect) }
        #expect(try sent(node, link) == second)
    }
}
