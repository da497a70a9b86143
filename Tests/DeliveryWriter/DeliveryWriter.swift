import ClusterClient
import DeviceProtocols
import Glibc
import NIOCore
import Outbox

/// A process for the tests of delivery to kill: it publishes durably and notes in a file what it was promised.
///
///     DeliveryWriter OUTBOX REPORT PORT      a broker's port; 1 for none
@main
enum DeliveryWriter {
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let port = Int(arguments[3]) else { exit(64) }  // safe: four arguments
        let report = open(arguments[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard report >= 0 else { exit(74) }
        do {
            let url = try BrokerURL("smq://127.0.0.1:\(port)")
            var configuration = SMQClientConfiguration(brokers: [url], uid: Array("delivery-writer".utf8))
            configuration.outbox = SMQOutboxConfiguration(directory: arguments[1])
            let client = SMQClient(configuration)
            async let running: Void = client.run()
            while true {
                let name = "\(getpid())-\(UInt32.random(in: .min ... .max))"
                try await client.publish(
                    ByteBuffer(string: name), to: .topic("events"),
                    delivery: .log(
                        level: .endToEnd, priority: SMQPriority.allCases.randomElement() ?? .normal, isDurable: true))
                let line = Array("\(name)\n".utf8)
                guard write(report, line, line.count) == line.count else { exit(74) }
                if Int.random(in: 0..<10) == 0 { try await Task.sleep(for: .milliseconds(1)) }
            }
            try await running
        } catch {
            print(error)
            exit(1)
        }
    }
}
