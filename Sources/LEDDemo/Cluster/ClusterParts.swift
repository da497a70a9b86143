import ClusterClient
import DeviceCore
import DeviceTransport
import Glibc
import Logging
import NIOCore
import Outbox

/// The running parts of `--cluster`.
final class ClusterParts: Sendable {
    let nodes: [ClusterNode]
    let receivers: [NodeReceiver]
    /// Gets the device's exit status.
    let deviceEnded = BoundedStream<Int32>(limit: 1)
    private let view = Locked(DeviceView())
    private let ledger: Locked<HeartbeatLedger>
    private let page = Locked<HTTPListener?>(nil)
    private let device = Locked<DemoProcess?>(nil)
    private let seen: Deduplicator
    private let clock = DeviceClock(ContinuousClock())

    private init(nodes: [ClusterNode], receivers: [NodeReceiver], seen: Deduplicator) {
        self.nodes = nodes
        self.receivers = receivers
        self.seen = seen
        ledger = Locked(HeartbeatLedger(nodes: nodes.count, at: clock.now))
    }

    /// Starts all of them.
    ///
    /// - Throws: ``DeviceError`` of the first that does not start; the others are ended again.
    static func start(
        _ demo: ClusterDemo, _ directory: PrivateDirectory, eventLoop: any EventLoop, logger: Logger
    ) async throws(DeviceError) -> ClusterParts {
        let broker = try ClusterDemo.broker()
        let program = try ClusterDemo.ownProgram().path
        let hosts = (1...demo.nodes).map { "127.0.0.\($0)" }
        let port = try FreePort.first(of: 8081...8179, on: hosts)
        let linkPort = try FreePort.first(of: 1900...1999, on: hosts)
        let names = hosts.map { "\($0) \(ClusterDemo.clusterName)\n" }.joined()
        let hostsFile = try directory.write(names, to: "hosts")
        let seen = try await Deduplicator.open(directory: directory.path + "/seen")
        var nodes: [ClusterNode] = []
        var receivers: [NodeReceiver] = []
        for (index, host) in hosts.enumerated() {
            let name = "Node \(Character(Unicode.Scalar(UInt8(ascii: "A") + UInt8(index))))"
            let address = ListenAddress(host: host, port: port)
            let peers = hosts.filter { $0 != host }.joined(separator: ",")
            nodes.append(
                ClusterNode(
                    name: name, address: address, program: broker,
                    arguments: [
                        "--server-name=\(ClusterDemo.clusterName)", "--peers=\(peers)", "--link-port=\(linkPort)",
                    ], environment: ClusterDemo.brokerEnvironment, eventLoop: eventLoop))
            receivers.append(
                try NodeReceiver(node: address, name: name, seen: seen, eventLoop: eventLoop, logger: logger))
        }
        let parts = ClusterParts(nodes: nodes, receivers: receivers, seen: seen)
        do throws(DeviceError) {
            for node in nodes { try await node.startUp() }
            let url = try await parts.servePage(on: demo.options.listen, eventLoop: eventLoop, logger: logger)
            var environment = ClusterDemo.environment
            environment["STATE_DIRECTORY"] = directory.path + "/device"
            try await parts.startDevice(
                program, demo.deviceArguments(port: port, hosts: hostsFile, page: url), environment,
                eventLoop: eventLoop)
            return parts
        } catch {
            await parts.end()
            throw error
        }
    }

    /// A message that no receiver had before.
    func take(_ beat: Heartbeat.Beat, node: Int) {
        guard beat.run == view.withLock({ $0.run }) ?? beat.run else { return }
        ledger.withLock { $0.receive(beat.number, node: node, at: clock.now) }
    }

    /// Ends everything that was started.
    func end() async {
        await page.withLock { $0 }?.close()
        // First it, so that it does not look for another node.
        await endDevice()
        for node in nodes { node.end() }
        await until(.seconds(5)) { nodes.allSatisfy { $0.snapshot.process == nil } }
        try? await seen.close()
    }

    private func endDevice() async {
        guard let device = device.withLock({ $0 }) else { return }
        device.signal(SIGTERM)
        await until(.seconds(3)) { device.hasEnded }
        device.signal(SIGKILL)
        await until(.seconds(2)) { device.hasEnded }
    }

    private func until(_ patience: Duration, _ isDone: () -> Bool) async {
        let end = ContinuousClock.now + patience
        while !isDone(), ContinuousClock.now < end {
            // Cancelled or not, they get their time.
            if (try? await Task.sleep(for: .milliseconds(5))) == nil { await Task.yield() }
        }
    }

    // MARK: Parts

    /// - Returns: the page's address.
    private func servePage(
        on address: ListenAddress?, eventLoop: any EventLoop, logger: Logger
    ) async throws(DeviceError) -> String {
        let token = try OpenSSLCrypto().accessToken()
        let routes = ClusterPage.routes(
            token: token, frames: nodes.map { "\($0.address)" }, state: { [self] in state },
            command: { [nodes] index, command in
                nodes.indices.contains(index) ? await nodes[index].obey(command) : false  // safe: looked up before
            })
        let listener = try await HTTPListener.firstFree(address, defaultHost: "127.0.0.1") {
            place throws(DeviceError) in
            try await HTTPListener.start(on: place, eventLoop: eventLoop, routes: routes, logger: logger)
        }
        page.withLock { $0 = listener }
        return "http://\(listener.address)/"
    }

    private func startDevice(
        _ program: String, _ arguments: [String], _ environment: [String: String], eventLoop: any EventLoop
    ) async throws(DeviceError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw DeviceError(.io, "no pipe: \(SystemError.text(errno))") }
        let (reading, writing) = (ends[0], ends[1])  // safe: two elements
        defer { close(writing) }
        // The terminal is the device's: it draws its picture and reads its keys. It gets SIGTERM at our end, so that
        // it gives the terminal back as it was.
        let child = DemoProcess.Program(
            path: program, arguments: arguments, environment: environment,
            files: [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, writing], deathSignal: SIGTERM)
        do throws(DeviceError) {
            let process = try await DemoProcess.start(child, on: eventLoop) { [deviceEnded] status in
                deviceEnded.send(status)
            }
            device.withLock { $0 = process }
        } catch {
            close(reading)
            throw error
        }
        let isStarted = SystemThread.tryDetach { [self] in
            defer { close(reading) }
            LineReader.read(reading) { line in view.withLock { $0.take(line, at: clock.now) } }
        }
        if !isStarted { close(reading) }
    }

    private var state: ClusterState {
        let now = clock.now
        let (received, highest, lost, course) = ledger.withLock { ledger in
            (ledger.received, ledger.highest, ledger.lost(at: now), ledger.course(at: now))
        }
        let places = zip(nodes, receivers).map { node, receiver in
            ClusterState.Node(
                name: node.name, address: "\(node.address)", snapshot: node.snapshot, received: receiver.received)
        }
        return ClusterState(
            nodes: places, device: view.withLock { $0 }, highest: highest, received: received, lost: lost,
            course: course,
            now: now)
    }
}
