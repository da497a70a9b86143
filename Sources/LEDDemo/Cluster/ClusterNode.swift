import DeviceCore
import DeviceTransport
import Glibc
import NIOCore

/// One node of the demo: a `smq-broker` process that is started, stopped, frozen and resumed from the page.
final class ClusterNode: Sendable {
    private struct Life: Sendable {
        var machine = NodeStateMachine()
        var process: DemoProcess?
        /// The last complaint of the process.
        var lastLine: String?
    }

    /// What the page shows.
    struct Snapshot: Sendable {
        var state: NodeStateMachine.State
        var commands: [NodeStateMachine.Command]
        var process: Int32?
        /// Its last word, for one that crashed.
        var lastLine: String?
    }

    /// "Node A".
    let name: String
    let address: ListenAddress
    private let program: DemoProcess.Program
    private let eventLoop: any EventLoop
    private let life = Locked(Life())
    init(
        name: String, address: ListenAddress, program: String, arguments: [String], environment: [String: String],
        eventLoop: any EventLoop
    ) {
        self.name = name
        self.address = address
        self.program = DemoProcess.Program(
            path: program, arguments: ["--listen", "\(address)"] + arguments, environment: environment,
            hasOwnGroup: true)
        self.eventLoop = eventLoop
    }

    var snapshot: Snapshot {
        life.withLock { life in
            let isCrashed = if case .crashed = life.machine.state { true } else { false }
            return Snapshot(
                state: life.machine.state, commands: life.machine.commands, process: life.process?.id,
                lastLine: isCrashed ? life.lastLine : nil)
        }
    }

    /// Obeys.
    ///
    /// - Returns: false when the command makes no sense now.
    func obey(_ command: NodeStateMachine.Command) async -> Bool {
        let (action, generation, process) = life.withLock { life in
            let action = life.machine.receive(command)
            if action == .spawn { life.lastLine = nil }
            return (action, life.machine.generation, life.process)
        }
        guard let action else { return false }
        switch action {
        case .spawn: await spawn(generation)
        case .kill: process?.signal(SIGKILL)
        case .freeze: process?.signal(SIGSTOP)
        case .resume: process?.signal(SIGCONT)
        }
        return true
    }

    /// Starts the process and waits until it serves.
    ///
    /// - Throws: ``DeviceError`` `unavailable` with its last word.
    func startUp() async throws(DeviceError) {
        _ = await obey(.start)
        let end = ContinuousClock.now + .seconds(15)
        while snapshot.state == .starting, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(5))
        }
        let last = snapshot
        guard last.state == .running else {
            throw DeviceError(.unavailable, "\(name) does not start: \(last.lastLine ?? "smq-broker says nothing")")
        }
    }

    /// Ends the process, whatever it does.
    func end() {
        let process = life.withLock { life in
            _ = life.machine.receive(.stop)
            return life.process
        }
        process?.signal(SIGKILL)
    }

    private func spawn(_ generation: Int) async {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            return finish(generation, 74, SystemError.text(errno))
        }
        let (reading, writing) = (ends[0], ends[1])  // safe: two elements
        var program = program
        // Its words; the child gets no other file of ours.
        program.files = [-1, writing, writing]
        defer { close(writing) }
        do throws(DeviceError) {
            let process = try await DemoProcess.start(program, on: eventLoop) { [self] status in
                finish(generation, status, nil)
            }
            let isWanted = life.withLock { life in
                // It may have ended already, or been told to while it was started.
                guard life.machine.generation == generation else { return false }
                switch life.machine.state {
                case .starting, .running: life.process = process
                case .stopping, .stopped, .crashed, .frozen: return false
                }
                return true
            }
            if !isWanted { process.signal(SIGKILL) }
            if !SystemThread.tryDetach({ [self] in listen(reading, generation) }) { close(reading) }
        } catch {
            close(reading)
            finish(generation, error.exitStatus, error.description)
        }
    }

    private func finish(_ generation: Int, _ status: Int32, _ line: String?) {
        life.withLock { life in
            life.machine.ended(generation, status: status)
            guard life.machine.generation == generation else { return }
            life.process = nil
            if let line { life.lastLine = line }
        }
    }

    /// Reads what the process writes, to its end.
    private func listen(_ file: Int32, _ generation: Int) {
        defer { close(file) }
        LineReader.read(file) { line in
            life.withLock { life in
                guard life.machine.generation == generation else { return }
                // Printed when it listens.
                if line.hasPrefix("Broker:") { life.machine.becameReady(generation) }
                // What it says else is a complaint.
                if !line.hasPrefix("Broker:"), !line.hasPrefix("Page:") { life.lastLine = line.printable }
            }
        }
    }
}

/// Lines of a pipe.
enum LineReader {
    /// A longer line is cut.
    static let limit = 8192

    /// Reads to the end of the file; blocks.
    static func read(_ file: Int32, _ take: (String) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var line: [UInt8] = []
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            for byte in buffer.prefix(count) {
                if byte == 0x0A {
                    take(String(decoding: line, as: UTF8.self))
                    line.removeAll(keepingCapacity: true)
                } else if line.count < limit {
                    line.append(byte)
                }
            }
        }
    }
}
