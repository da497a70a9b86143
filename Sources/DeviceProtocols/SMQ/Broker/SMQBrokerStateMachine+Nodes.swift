public import DeviceCore
import NIOCore

// What clients are told of the cluster's nodes, so that they can choose among them.
extension SMQBrokerStateMachine {
    private static let nodesTopic = ByteBuffer(string: SMQNodeReport.topic)
    private static let reportInterval = Duration.seconds(1)

    /// Whether a client wants to be told of the nodes.
    public var hasNodeReaders: Bool {
        topicsByName[Self.nodesTopic].map { !topics[$0].subscribers.isEmpty } ?? false
    }

    /// Tells the clients that want it how this node and those linked to it do, no more often than once a second.
    public mutating func tellNodes(_ own: NodeStatus, now: MonotonicTime) {
        guard hasNodeReaders, lastReport.map({ $0 + Self.reportInterval <= now }) ?? true,
            let topic = topicsByName[Self.nodesTopic]
        else { return }
        lastReport = now
        var reports = [SMQNodeReport(.own, own)]
        for link in links where link.isActive {
            guard let status = link.status,
                let report = SMQNodeReport(linked: link.name, remote: link.address, status)
            else { continue }
            reports.append(report)
        }
        let message = SMQNodeReport.message(reports)
        let id = topics[topic].id
        for reader in topics[topic].subscribers {
            let limit = peers[reader].maximumFrame
            guard limit == 0 || message.readableBytes + SMQSize.maximumFrame - SMQSize.maximumPayload <= limit else {
                statistics.tooLongForReceiver &+= 1
                continue
            }
            queue(to: reader) { [framing = peers[reader].framing] in
                $0.writeSMQPublish(
                    to: id, from: SMQNodeReport.publisher, subtopic: 0, payload: message, framing: framing)
            }
        }
        settle()
    }
}

extension SMQBrokerStateMachine.Topic {
    /// Whether only the broker publishes to it.
    var isReserved: Bool {
        isLocal && name.readableBytesView.starts(with: SMQNodeReport.reservedPrefix.utf8)
    }
}
