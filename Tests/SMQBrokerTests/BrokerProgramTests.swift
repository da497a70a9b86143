import DeviceCore
import DeviceProtocols
import Glibc
import NIOCore
import TestSupport
import Testing

/// The program smq-broker: what its flags do, and what it tells those who operate it.
@Suite(.serialized) struct BrokerProgramTests {
    /// A running broker on a port of loopback that the system chose.
    private struct Program {
        let process: ChildProgram
        let port: Int

        static func start(_ arguments: [String]) async throws -> Program {
            let process = try ChildProgram(
                [try ChildProcess.path(beside: "smq-broker"), "--listen", "127.0.0.1:0"] + arguments)
            try await process.prints("/smq.lsp")
            let line = process.output.split(separator: "\n").first { $0.hasPrefix("Broker: ") } ?? ""
            let digits = line.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
            guard let port = Int(digits) else { throw Late(description: "no port in \(process.output)") }
            return Program(process: process, port: port)
        }

        func client(_ uid: String) async throws -> (client: RawClient, answer: SMQFrame) {
            let connection = try await RawConnection.connect(port: port)
            // As this package's client, which understands that it is asked to leave.
            try await connection.send(
                "GET /smq.lsp HTTP/1.1\r\nHost: 127.0.0.1\r\nSimpleMQ: 1\r\nUser-Agent: DeviceSDK\r\n\r\n")
            var client = RawClient(connection: connection, framing: .raw)
            _ = try await client.frame()
            try await client.sendConnect(uid)
            let answer = try await client.frame()
            if case .connack(.accepted, let etid, _) = answer { client.etid = etid }
            return (client, answer)
        }

        func get(_ path: String, method: String = "GET") async throws -> String {
            try await RawConnection.exchange(
                port: port, "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        }

        func end() async throws {
            kill(process.pid, SIGINT)
            #expect(try await process.ended() == 0)
        }
    }

    @Test func itsHealthAndItsNumbers() async throws {
        let program = try await Program.start(["--drain", "20s"])
        let health = try await program.get("/health")
        #expect(health.hasPrefix("HTTP/1.1 200") && health.hasSuffix("{\"live\":true,\"ready\":true}\n"))
        let (client, _) = try await program.client("client")
        _ = try await client.id(.subscribe, "topic")
        let metrics = try await program.get("/metrics")
        #expect(metrics.contains("text/plain; version=0.0.4"))
        #expect(metrics.contains("\nsmq_broker_clients 1\n") && metrics.contains("\nsmq_broker_sessions_total 1\n"))
        // Every line is a comment, or a name with at most one label and a number.
        let body = try #require(metrics.firstRange(of: "\r\n\r\n")).upperBound
        for line in metrics[body...].split(separator: "\n") where !line.hasPrefix("# ") {
            #expect(line.wholeMatch(of: /[a-z_]+(\{[a-z_]+="[^"]*"\})? [0-9.e+-]+/) != nil, "\(line)")
        }
        // Two clients leave within the time: the second later, so that the broker still drains.
        _ = try await program.client("client-2")
        #expect(try await program.get("/drain", method: "POST").hasPrefix("HTTP/1.1 202"))
        try await eventually("it is not ready any more") {
            let health = try await program.get("/health")
            return health.hasPrefix("HTTP/1.1 503") && health.hasSuffix("{\"live\":true,\"ready\":false}\n")
        }
        try await program.end()
    }

    /// Drained, it ends by itself: when those that were asked have left, or do not leave in time.
    @Test(arguments: ["POST /drain", "SIGTERM"]) func itEndsWhenItIsDrained(_ how: String) async throws {
        let program = try await Program.start(["--drain", "100ms"])
        let (leaving, _) = try await program.client("leaving")
        let (staying, _) = try await program.client("staying")
        if how == "SIGTERM" {
            kill(program.process.pid, SIGTERM)
        } else {
            #expect(try await program.get("/drain", method: "POST").hasPrefix("HTTP/1.1 202"))
        }
        #expect(try await leaving.frame().type == .disconnect)
        leaving.connection.close()
        #expect(try await staying.frame().type == .disconnect)
        #expect(try await program.process.ended() == 0)
    }

    @Test(arguments: ["POST /drain", "SIGTERM"]) func itEndsWhenAllHaveLeft(_ how: String) async throws {
        // Nobody waits for the end of this time.
        let program = try await Program.start(["--drain", "1h"])
        let (client, _) = try await program.client("client")
        if how == "SIGTERM" {
            kill(program.process.pid, SIGTERM)
        } else {
            #expect(try await program.get("/drain", method: "POST").hasPrefix("HTTP/1.1 202"))
        }
        #expect(try await client.frame().type == .disconnect)
        client.connection.close()
        #expect(try await program.process.ended() == 0)
    }

    @Test func theStatusPage() async throws {
        let program = try await Program.start([])
        let page = try await program.get("/status.html")
        #expect(page.hasPrefix("HTTP/1.1 200") && page.contains("Broker status"))
        #expect(page.contains("Content-Security-Policy: default-src 'self'; frame-ancestors"))
        for file in ["status.css", "status.js", "status-model.js"] {
            #expect(try await program.get("/\(file)").hasPrefix("HTTP/1.1 200"), "\(file)")
        }
        try await program.end()
    }

    @Test func howManyClients() async throws {
        let program = try await Program.start(["--max-clients", "1"])
        let first = try await program.client("client-1")
        #expect(first.answer.type == .connack && first.client.etid != 0)
        let (_, refused) = try await program.client("client-2")
        guard case .connack(.unavailable, 0, _) = refused else { throw Late(description: "\(refused)") }
        // Back after a power cut that the broker has not noticed.
        let (again, _) = try await program.client("client-1")
        #expect(again.etid == first.client.etid)
        try await program.end()
    }

    @Test func howManyTopics() async throws {
        let program = try await Program.start(["--max-topics", "1"])
        let (client, _) = try await program.client("client")
        _ = try await client.id(.subscribe, "one")
        try await client.send { $0.writeSMQ(.create, text: "two") }
        #expect(try await client.frame() == .ack(.createack, accepted: false, id: 0, name: ByteBuffer(string: "two")))
        try await program.end()
    }

    @Test func howLargeAFrame() async throws {
        let program = try await Program.start(["--max-frame", "1024"])
        let (client, _) = try await program.client("client")
        for (count, isFine) in [(1024 - 15, true), (1025 - 15, false)] {
            try await client.send {
                $0.writeSMQPublish(
                    to: client.etid, from: client.etid, subtopic: 0, payload: ByteBuffer(repeating: 7, count: count))
            }
            #expect(try await client.frame().type == (isFine ? .publish : .disconnect))
        }
        try await program.end()
    }

    @Test(arguments: ["--max-rate", "--max-bytes"]) func howFast(_ flag: String) async throws {
        let program = try await Program.start([flag, flag == "--max-rate" ? "50" : "5000"])
        let (client, _) = try await program.client("client")
        let start = ContinuousClock.now
        // 150 messages of 100 bytes: the credit of a second, and two seconds more.
        try await client.send {
            for _ in 0..<150 {
                $0.writeSMQPublish(
                    to: client.etid, from: client.etid, subtopic: 0, payload: ByteBuffer(repeating: 7, count: 85))
            }
        }
        for _ in 0..<150 { _ = try await client.frame() }
        try await client.barrier()
        #expect(ContinuousClock.now - start > .seconds(1))
        #expect(try await !program.get("/metrics").contains("\nsmq_broker_throttled_total 0\n"))
        try await program.end()
    }

    @Test func whoMayConnect() async throws {
        let directory = try TemporaryDirectory()
        let file = directory("accounts.json")
        try TemporaryDirectory.write(
            Array(#"{"accounts": [{"name": "lamps", "uid": "lamp-*", "subscribe": "a"}]}"#.utf8), to: file)
        chmod(file, 0o600)
        let program = try await Program.start(["--accounts", file])
        let (lamp, answer) = try await program.client("lamp-1")
        #expect(answer.type == .connack && lamp.etid != 0)
        _ = try await lamp.id(.subscribe, "a")
        try await lamp.send { $0.writeSMQ(.subscribe, text: "b") }
        #expect(try await lamp.frame() == .ack(.suback, accepted: false, id: 0, name: ByteBuffer(string: "b")))
        let (stranger, _) = try await program.client("stranger")
        #expect(stranger.etid == 0)
        try await program.end()
    }

    /// Each says what is wrong, and ends with the status of a wrong command line.
    @Test(arguments: [
        (["--max-clients", "0"], "--max-clients"), (["--max-topics", "0"], "--max-topics"),
        (["--max-rate", "-1"], "--max-rate"), (["--max-frame", "100"], "--max-frame"),
        (["--link-tls-ca", "ca.pem"], "needs --peers"),
        (["--link-port", "1901"], "needs --peers"),
        (["--link-tls-ca", "ca.pem", "--peers", "127.0.0.2"], "--tls-certificate"), (["--open"], "--lan"),
    ])
    func whatMakesNoSense(_ arguments: [String], _ words: String) async throws {
        let process = try ChildProgram(
            [try ChildProcess.path(beside: "smq-broker"), "--listen", "127.0.0.1:0"] + arguments)
        #expect(try await process.ended() == 64)
        #expect(process.output.contains(words), "\(process.output)")
    }
}
