import Glibc

/// Measures SMQ brokers from outside: what a client sees, in numbers.
@main
struct SMQBench {
    private let options: Options
    private var report = Report()
    private var runs = 0

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        do {
            let arguments = Array(CommandLine.arguments.dropFirst())
            if arguments.contains("--help") || arguments.contains("-h") {
                print(Options.usage, terminator: "")
                return
            }
            var bench = SMQBench(options: try Options(arguments))
            exit(bench.run() ? 0 : 1)
        } catch {
            note("smq-bench: \(error)\n\n\(Options.usage)")
            exit(64)
        }
    }

    private init(options: Options) { self.options = options }

    /// - Returns: whether everything could be measured.
    private mutating func run() -> Bool {
        // Whatever hangs: the system ends this program.
        alarm(CUnsignedInt(options.limit))
        let before = Machine.state
        for round in 1...options.rounds {
            if !options.brokers.isEmpty { Self.note("round \(round) of \(options.rounds), load \(Machine.load)") }
            if round == 1, wants("memory") { each { try $0.memory($1) } }
            for payload in options.payloads {
                if wants("rtt") { each { try $0.roundTrip($1, payload) } }
                if wants("rate") { each { try $0.fixedRate($1, payload) } }
            }
            if wants("fanout") { each { try $0.fanOut($1) } }
            for payload in options.payloads where wants("blast") { each { try $0.blast($1, payload) } }
            if wants("memory"), wants("blast") { each { try $0.memoryAfter($1) } }
            if !options.start.isEmpty { start() }
        }
        let after = Machine.state
        let names = options.brokers.map(\.name)
        print(
            "machine: \(Machine.description)\nbefore:  \(before)\nafter:   \(after)\nmedian (least to greatest) of \(options.rounds) rounds\n"
        )
        print(report.table(names.isEmpty ? ["program"] : names), terminator: "")
        for failure in report.failures { print("FAILED: \(failure)") }
        if let path = options.json { write(path, before, after) }
        return report.failures.isEmpty
    }

    private func wants(_ part: String) -> Bool { options.parts.contains(part) }

    /// A line on standard error.
    private static func note(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }

    private func write(_ path: String, _ before: String, _ after: String) {
        guard let file = fopen(path, "w") else { return Self.note("cannot write \(path)") }
        fputs(report.json(machine: Machine.description, before: before, after: after, rounds: options.rounds), file)
        fclose(file)
    }

    // MARK: Measurements

    /// The brokers by turns, so that what else the machine does meets them alike.
    private mutating func each(_ body: (inout SMQBench, Measure) throws -> Void) {
        for broker in options.brokers {
            runs += 1
            do {
                try body(&self, Measure(target: broker, topic: "/bench/\(getpid())/\(runs)"))
            } catch { report.fail("\(broker.name): \(error)") }
        }
    }

    private mutating func memory(_ measure: Measure) throws {
        guard let memory = try measure.memory(connections: options.connections) else { return }
        let name = measure.target.name
        let count = options.connections
        report.add("memory idle", "kB", name, memory.idle)
        report.add("memory with \(count) connections", "kB", name, memory.connected)
        report.add("memory after they closed", "kB", name, memory.closed)
        report.add("memory per connection", "bytes", name, (memory.connected - memory.idle) * 1024 / Double(count))
        report.add("\(count) connects, one after the other", "s", name, memory.connectSeconds)
    }

    private mutating func memoryAfter(_ measure: Measure) throws {
        let memory = measure.target.pid.flatMap(Machine.residentMemory)
        report.add("memory after the blasts", "kB", measure.target.name, memory)
    }

    private mutating func roundTrip(_ measure: Measure, _ payload: Int) throws {
        let samples = try measure.roundTrip(payload: payload, rounds: options.trips)
        report.add("round trip \(payload) B, p50", "µs", measure.target.name, samples.median)
        report.add("round trip \(payload) B, p99", "µs", measure.target.name, samples.percentile(99))
    }

    private mutating func fixedRate(_ measure: Measure, _ payload: Int) throws {
        let samples = try measure.fixedRate(payload: payload, perSecond: options.rate, seconds: options.seconds)
        report.add("latency at \(options.rate)/s \(payload) B, p50", "µs", measure.target.name, samples.median)
        report.add("latency at \(options.rate)/s \(payload) B, p99", "µs", measure.target.name, samples.percentile(99))
    }

    private mutating func fanOut(_ measure: Measure) throws {
        let count = options.connections
        let result = try measure.fanOut(
            payload: PublishBatch.minimumPayload * 2, subscribers: count, publishes: options.publishes)
        report.add("fan-out to \(count), first", "µs", measure.target.name, result.first.median)
        report.add("fan-out to \(count), last", "µs", measure.target.name, result.last.median)
        report.add("fan-out to \(count), last, p99", "µs", measure.target.name, result.last.percentile(99))
    }

    private mutating func blast(_ measure: Measure, _ payload: Int) throws {
        let result = try measure.blast(
            payload: payload, seconds: options.seconds, messages: options.messages, batch: options.batch)
        report.add("throughput \(payload) B", "messages/s", measure.target.name, result.messagesPerSecond)
        report.add("broker CPU per message \(payload) B", "µs", measure.target.name, result.brokerMicroseconds)
        report.add(
            "CPU per message of the subscriber's node \(payload) B", "µs", measure.target.name, result.otherMicroseconds
        )
    }

    private mutating func start() {
        let name = options.brokers.first?.name ?? "program"
        do {
            let result = try StartTime.measure(options.start, until: options.startLine)
            let program = options.start[0].split(separator: "/").last.map(String.init) ?? options.start[0]
            report.add("\(program): start to \"\(options.startLine)\"", "ms", name, result.milliseconds)
            report.add("\(program): memory after 2 s", "kB", name, result.memory)
        } catch { report.fail("\(error)") }
    }
}
