import DeviceCore
import DeviceProtocols
import NIOCore
import NIOPosix
import Outbox
import Testing

@testable import ClusterClient

@Suite struct AcknowledgementQueueTests {
    /// A receiver that runs for ten minutes sends ten thousands of them, one by one; with a wrapper more around the
    /// closure for each, it ended by a stack overflow after 29,000.
    @Test func manyAreSentOneByOne() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let queue = AcknowledgementQueue(eventLoop: loop, delivery: DeliverySender(nil))
        let sent = Locked(0)
        queue.connect { _, _ in sent.withLock { $0 += 1 } }
        for number in UInt64(1)...60_000 {
            queue.add([(SMQPeer(id: 1, session: 1), MessageID(source: 1, epoch: 1, sequence: number))])
            try await loop.submit {}.get()
        }
        #expect(sent.withLock { $0 } == 60_000)
    }
}
