import DeviceCore
import DeviceTransport
import Glibc
import TestSupport
import Testing

@testable import LoRaGateway

/// The program as systemd sees it: a process with signals.
@Suite(.timeLimit(.minutes(5))) struct ReloadTests {
    private static func settings(_ servers: [(String, FakeGWMPServer)], more: String = "") -> String {
        let uplinks = servers.map { name, server in
            "{\"kind\": \"gwmp\", \"name\": \"\(name)\", \"server\": \"127.0.0.1\", \"port\": \(server.port)}"
        }
        return """
            {"gateway": "AA555A0000000101", "radio": {"kind": "virtual"}, "page": "127.0.0.1:0",\(more)
             "uplinks": [\(uplinks.joined(separator: ", "))]}
            """
    }

    /// What a running program has printed, line by line.
    private static func events(_ program: ChildProgram) -> [JSONValue] {
        program.output.split(separator: "\n").compactMap { try? JSONValue(parsing: $0, options: .message) }
    }

    private static func reloads(_ program: ChildProgram) -> [JSONValue] {
        events(program).filter { $0["event"] == "reloaded" }
    }

    @Test func aHangUpChangesTheUplinksAndTheRadioGoesOn() async throws {
        let directory = try TemporaryDirectory()
        let file = directory("loragateway.json")
        let (one, two) = (try await FakeGWMPServer.start(), try await FakeGWMPServer.start())
        func write(_ text: String) throws { try TemporaryDirectory.write(Array(text.utf8), to: file) }
        try write(Self.settings([("one", one)]))
        let program = try ChildProgram([
            "env", "STATE_DIRECTORY=\(directory.path)", try ChildProcess.path(beside: "LoRaGateway"), "--simulate",
            "--config", file, "--devices", "10", "--every", "1s", "--json",
        ])
        try await eventually("frames at the first") { one.frames.count >= 3 }
        let port = one.sources
        #expect(two.pulls == 0)

        // One more.
        try write(Self.settings([("one", one), ("two", two)]))
        kill(program.pid, SIGHUP)
        try await eventually("frames at the second") { two.frames.count >= 3 }
        #expect(Self.reloads(program).map { $0["problem"] } == [.null])
        let seen = one.frames.count
        try await eventually("the first goes on") { one.frames.count > seen }
        #expect(one.sources == port, "with its socket")

        // Wrong settings change nothing.
        try write(Self.settings([("two", two)], more: " \"rubbish\": 1,"))
        kill(program.pid, SIGHUP)
        try await eventually("the problem is told") { Self.reloads(program).count == 2 }
        #expect(Self.reloads(program).last?["problem"]?.stringValue?.contains("rubbish") == true)
        let more = one.frames.count
        try await eventually("both go on") { one.frames.count > more }

        // One less. What is under way may still arrive.
        try write(Self.settings([("two", two)]))
        kill(program.pid, SIGHUP)
        try await eventually("it is done") { Self.reloads(program).count == 3 }
        let last = one.frames.count
        let others = two.frames.count
        try await eventually("frames at the second alone") { two.frames.count >= others + 5 }
        #expect(one.frames.count <= last + 2)

        // All that time the radio ran, and its clock with it.
        let counts = Self.events(program).compactMap { $0["rxpk"]?["tmst"]?.integerValue }
        #expect(counts.count > 10 && counts == counts.sorted())
        #expect(Self.events(program).filter { $0["event"] == "started" }.count == 1)
        #expect(!Self.events(program).contains { $0["kind"] == "radio-restart" })

        kill(program.pid, SIGTERM)
        #expect(try await program.ended() == 0)
        #expect(Self.events(program).last?["event"] == "ended")
        await one.stop()
        await two.stop()
    }

    /// Another region is another radio plan and other rules for what may be sent; what only a start takes is named.
    @Test func aHangUpChangesTheRadiosChannelsAndTheLaw() async throws {
        let directory = try TemporaryDirectory()
        let file = directory("loragateway.json")
        let server = try await FakeGWMPServer.start()
        func write(_ more: String, _ gateway: String = "AA555A0000000101") throws {
            let text = Self.settings([("ns", server)], more: more)
                .replacing("AA555A0000000101", with: gateway)
            try TemporaryDirectory.write(Array(text.utf8), to: file)
        }
        try write(#" "region": "EU868","#)
        let program = try ChildProgram([
            "env", "STATE_DIRECTORY=\(directory.path)", try ChildProcess.path(beside: "LoRaGateway"), "--simulate",
            "--config", file, "--devices", "0", "--json",
        ])
        try await eventually("PULL_DATA") { server.pulls > 0 }
        let txpk =
            #"{"txpk":{"imme":true,"freq":923.3,"rfch":0,"powe":14,"modu":"LORA","datr":"SF12BW500","codr":"4/5","#
            + #""ipol":true,"size":4,"data":"3q2+7w==","ncrc":true}}"#
        server.send(txpk, token: [0, 1])
        try await eventually("it is refused in Europe") { server.acks.last?.json.contains("TX_FREQ") == true }

        try write(#" "region": "US915", "position": {"latitude": 12.5},"#, "AA555A0000000102")
        kill(program.pid, SIGHUP)
        try await eventually("the settings are read") { Self.reloads(program).count == 1 }
        #expect(Self.reloads(program).last?["problem"] == .null)
        try await eventually("what waits for a start is named") {
            Self.events(program).contains { $0["message"]?.stringValue?.hasSuffix("next start on: gateway") == true }
        }
        let number = Locked<UInt8>(1)
        try await eventually("it is sent in America, once the radio has started") {
            server.send(
                txpk,
                token: [
                    0,
                    number.withLock { number in
                        number &+= 1
                        return number
                    },
                ])
            try await Task.sleep(for: .milliseconds(200))
            return Self.events(program).contains { $0["fate"] == "sent" && $0["frequency"] == 923_300_000 }
        }
        kill(program.pid, SIGTERM)
        #expect(try await program.ended() == 0)
        await server.stop()
    }

    /// The duty cycle of the whole program: one that is ended and started again has no new hour.
    @Test func anotherProcessKnowsWhatThisOneHasSent() async throws {
        let directory = try TemporaryDirectory()
        let file = directory("loragateway.json")
        let server = try await FakeGWMPServer.start()
        try TemporaryDirectory.write(Array(Self.settings([("ns", server)]).utf8), to: file)
        let data = Base64.encode([UInt8](repeating: 0x60, count: 50))
        let txpk =
            #"{"txpk":{"imme":true,"freq":868.1,"rfch":0,"powe":14,"modu":"LORA","datr":"SF12BW125","codr":"4/5","#
            + #""ipol":true,"size":50,"data":"\#(data)","ncrc":true}}"#
        func start() throws -> ChildProgram {
            try ChildProgram([
                "env", "STATE_DIRECTORY=\(directory.path)", try ChildProcess.path(beside: "LoRaGateway"), "--simulate",
                "--config", file, "--devices", "0", "--json",
            ])
        }
        func isFull() -> Bool { server.acks.last?.json.contains("DUTY_CYCLE_OVERFLOW") == true }
        let first = try start()
        try await eventually("PULL_DATA") { server.pulls > 0 }
        for number in 0..<40 where !isFull() {
            server.send(txpk, token: [0, UInt8(number)])
            try await eventually("answer \(number)") { server.acks.count == number + 1 }
        }
        #expect(isFull())
        kill(first.pid, SIGTERM)
        #expect(try await first.ended() == 0)
        let (pulls, count) = (server.pulls, server.acks.count)
        let second = try start()
        try await eventually("PULL_DATA") { server.pulls > pulls }
        server.send(txpk, token: [1, 1])
        try await eventually("an answer") { server.acks.count == count + 1 }
        #expect(isFull())
        kill(second.pid, SIGTERM)
        _ = try await second.ended()
        await server.stop()
    }
}
