import DeviceCore
import NIOCore
import Testing

@testable import ClusterClient

@Suite struct LatestSenderTests {
    private func put(_ keys: Range<Int>, to sender: DeliverySender) {
        for key in keys {
            sender.put(LatestMessage(topic: "t", subtopic: nil, payload: ByteBuffer(integer: key)), for: "\(key)")
        }
    }

    /// More keys than may be under way: the rest goes as soon as the broker has the others, and nobody need publish for it.
    @Test func whatWaitsForRoomIsSentWhenThereIsSome() throws {
        let sender = DeliverySender(nil)
        sender.sessionOpened(1)
        put(0..<256, to: sender)
        let first = try #require(sender.takeLatest())
        #expect(first.records.count == 256)
        put(256..<260, to: sender)
        _ = sender.wake.takeAll()
        #expect(sender.takeLatest().map(\.records.count) == nil)
        sender.passed(barrier: try #require(first.barrier), session: 1, now: .zero)
        #expect(sender.wake.count == 1)
        let second = try #require(sender.takeLatest())
        #expect(second.records.count == 4)
        _ = sender.wake.takeAll()
        sender.passed(barrier: try #require(second.barrier), session: 1, now: .zero)
        #expect(sender.wake.count == 0, "there is nothing to do")
    }
}
