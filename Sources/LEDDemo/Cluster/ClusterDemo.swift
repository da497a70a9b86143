import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import Logging
import NIOCore
import NIOPosix
import UnixSignals

/// `--cluster 2`: brokers and a device as processes of their own, receivers that count, and the page that shows it.
struct ClusterDemo: Sendable {
    /// The name behind which all nodes are.
    static let clusterName = "cluster.demo"
    private static let defaultRate = 20

    let options: LEDDemoOptions
    let nodes: Int
    /// The device's flags that the user has chosen.
    let device: [String]

    /// Runs until it is told to end, or the device ends.
    ///
    /// - Returns: 0.
    /// - Throws: ``DeviceError``: what keeps a part from starting; `unavailable` when the device ends by a failure.
    func run() async throws(DeviceError) -> Int32 {
        Glibc.signal(SIGPIPE, SIG_IGN)
        let directory = try PrivateDirectory()
        defer { directory.remove() }
        // One thread for the network; it starts the children too.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var logger = Logger(label: "cluster-demo") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        let parts: ClusterParts
        do throws(DeviceError) {
            parts = try await ClusterParts.start(self, directory, eventLoop: group.next(), logger: logger)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        let status = await serve(parts)
        await parts.end()
        try? await group.shutdownGracefully()
        guard status == 0 else {
            throw DeviceError(
                .unavailable, "the device ended with \(Self.words(exit: status))", hint: "See the lines above")
        }
        return 0
    }

    /// An exit status for people.
    static func words(exit status: Int32) -> String {
        status < 0 ? "signal \(-status)" : "exit status \(status)"
    }

    /// - Returns: the device's exit status, or 0 when the demo was told to end.
    private func serve(_ parts: ClusterParts) async -> Int32 {
        await withTaskGroup(of: Int32?.self) { group in
            for (index, receiver) in parts.receivers.enumerated() {
                group.addTask {
                    await receiver.run { parts.take($0, node: index) }
                    return nil
                }
            }
            group.addTask {
                for await status in parts.deviceEnded { return status }
                return nil
            }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: LEDDemo.endingSignals) { return 0 }
                return nil
            }
            if let duration = options.duration {
                // The device keeps the time and says so; this is for one that does not.
                group.addTask {
                    try? await Task.sleep(for: duration + .seconds(3))
                    return Task.isCancelled ? nil : 0
                }
            }
            defer { group.cancelAll() }
            for await status in group { if let status { return status } }
            return 0
        }
    }

    /// What children get of the environment: not the settings, which are this process's.
    static var environment: [String: String] {
        SettingsSources.processEnvironment().filter {
            !$0.key.hasPrefix(SettingsSources.prefix) || $0.key == "DEVICE_PASSWORD"
        }
    }

    /// That of brokers. Swift's own report of a crash takes many seconds, during which the process would look alive.
    static var brokerEnvironment: [String: String] {
        environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { chosen, _ in chosen }
    }

    /// The directory of this program's own file, where `smq-broker` is too.
    static func ownProgram() throws(DeviceError) -> (path: String, directory: String) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw DeviceError(.notFound, "cannot find this program's own file") }
        let path = String(decoding: buffer.prefix(count), as: UTF8.self)
        return (path, String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    }

    /// The broker's program.
    static func broker() throws(DeviceError) -> String {
        let path = try ownProgram().directory + "/smq-broker"
        guard access(path, X_OK) == 0 else {
            throw DeviceError(
                .notFound, "--cluster needs smq-broker beside LEDDemo, and there is no program \(path)",
                hint: "Build it too: swift build -c release --product smq-broker, or run script/demo, which does")
        }
        return path
    }

    /// The device's command line.
    func deviceArguments(port: Int, hosts: String, page: String) -> [String] {
        device + [
            "--broker=smq://\(Self.clusterName):\(port)/smq.lsp", "--hosts=\(hosts)", "--standby", "--page=\(page)",
            "--heartbeat=\(options.heartbeat ?? Self.defaultRate)", "--events=/dev/fd/3",
        ]
    }
}
