import ArgumentParser
import DeviceCore
import DeviceTransport
import DeviceWeb
import Glibc
import Logging
import NIOCore
import NIOPosix
import SMQBroker

@main
struct SMQBrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "smq-broker", abstract: "A SMQ broker.")

    @Option var listen = "127.0.0.1:8080"

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let logger = Logger(label: "smq-broker")
        let broker = SMQBroker(eventLoop: loop, logger: logger)
        let listener = try await HTTPListener.start(
            on: ListenAddress(listen), eventLoop: loop, routes: broker.routes(), logger: logger)
        print("listening on \(listener.address)")
        try await Task.sleep(for: .seconds(100_000))
    }
}
