import ClusterClient
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceScripts
import DeviceSimulator
import Glibc
import NIOCore
import TestSupport
import Testing

/// The LED device in Lua at a cluster of two nodes, each a process of its own.
@Suite(.timeLimit(.minutes(5))) struct LuaClusterTests {
    /// A node of the cluster.
    private struct Node {
        let process: ChildProgram
        let port: Int

        var url: BrokerURL { get throws { try BrokerURL("smq://127.0.0.1:\(port)/smq.lsp") } }

        static func start(links: Int, peer: Int) async throws -> Node {
            let process = try ChildProgram([
                try ChildProcess.path(beside: "smq-broker"), "--listen", "127.0.0.1:0", "--link-port", "\(links)",
                "--peers", "127.0.0.1:\(peer)",
            ])
            try await process.prints("/smq.lsp")
            let line = process.output.split(separator: "\n").first { $0.hasPrefix("Broker: ") } ?? ""
            let digits = line.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
            guard let port = Int(digits) else { throw Late(description: "no port in \(process.output)") }
            return Node(process: process, port: port)
        }

        /// What its status says.
        func status(_ member: String) async throws -> JSONValue? {
            let answer = try await RawConnection.exchange(
                port: port, "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            guard let body = answer.firstRange(of: "\r\n\r\n") else { return nil }
            return try JSONValue(parsing: Array(answer[body.upperBound...].utf8)).objectValue?[member]
        }

        var isLinked: Bool {
            get async throws {
                try await status("peers")?.arrayValue?.contains { $0.objectValue?["up"]?.boolValue == true } ?? false
            }
        }

        var connections: Int64 {
            get async throws { try await status("connections")?.integerValue ?? 0 }
        }
    }

    @Test func theDeviceMovesWhenItsNodeIsKilled() async throws {
        let ports = [try Dnsmasq.freePort(), try Dnsmasq.freePort()]
        let nodes = [
            try await Node.start(links: ports[0], peer: ports[1]),
            try await Node.start(links: ports[1], peer: ports[0]),
        ]
        for node in nodes { try await eventually("a link") { try await node.isLinked } }

        let rig = ScriptRig(
            messaging: ScriptMessaging(standard: ScriptBroker.configuration([try nodes[0].url, try nodes[1].url])))
        let app = try await rig.example("smq-led-device.xlua")
        try await rig.writes("connected as")
        // The page is at the node where the device is not: what they say to each other goes over the link.
        let isAtFirst = try await nodes[0].connections == 1
        let (own, other) = isAtFirst ? (nodes[0], nodes[1]) : (nodes[1], nodes[0])
        #expect(try await own.connections == 1)
        #expect(try await other.connections == 0)
        let page = TestPeer(ScriptBroker.configuration([try other.url], "a-page-of-the-demo"))
        page.follow(page.client.subscribeToSelf())
        page.follow(
            page.client.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.infoSubtopic))
        page.follow(page.client.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic))
        try await page.connected()
        try await eventually("a description") {
            try page.client.publishNow(ByteBuffer(string: "Hello"), to: .topic(LEDContract.displayTopic))
            try await Task.sleep(for: .milliseconds(50))
            return page.messages.contains { $0.topic == nil }
        }
        let device = try #require(page.messages.last { $0.topic == nil }).publisher
        try await switchLED(2, on: true, of: device, by: page)
        try await rig.level("GPIO6", is: true)

        #expect(kill(own.process.pid, SIGKILL) == 0)
        try await own.process.ended()
        #expect(kill(own.process.pid, 0) == -1 && errno == ESRCH, "the node's process is gone")

        try await eventually("a second session") { rig.lines.count { $0.hasPrefix("connected as") } == 2 }
        // It has announced itself anew, under another id, and its LED is as it was.
        try await eventually("an announcement") {
            page.messages.contains { $0.topic == LEDContract.deviceTopic && $0.publisher != device && !isSwitch($0) }
        }
        let moved = try #require(
            page.messages.last { $0.topic == LEDContract.deviceTopic && $0.publisher != device && !isSwitch($0) })
        #expect(try rig.board.isHigh("GPIO6"))
        try await switchLED(2, on: false, of: moved.publisher, by: page)
        try await rig.level("GPIO6", is: false)
        try await switchLED(1, on: true, of: moved.publisher, by: page)
        try await rig.level("GPIO5", is: true)

        // What the script noticed: that a session ended (and, at most, that an attempt did too), and that there is
        // another one.
        var traced: [Substring] = []
        for line in rig.lines {
            let words = line.prefix { $0 != ":" && $0 != "\t" }
            if words != "disconnected" || traced.last != words { traced.append(words) }
        }
        #expect(traced == ["connected as", "Hall on", "disconnected", "connected as", "Hall off", "Kitchen on"])
        #expect(app.statistics.errors == 0 && app.statistics.kills == 0)
        #expect(app.statistics.recentErrors.isEmpty)
        await rig.host.stop()
        kill(other.process.pid, SIGINT)
        #expect(try await other.process.ended() == 0)
    }

    /// Switches a LED as a page does, and waits for the echo.
    private func switchLED(_ id: Int, on: Bool, of device: SMQPeer, by page: TestPeer) async throws {
        let command = LEDContract.Switch(id: id, isOn: on)
        try page.client.publishNow(command.payload, to: .peer(device))
        try await eventually("the echo of LED \(id)") {
            page.messages.contains { $0.publisher == device && LEDContract.Switch($0.payload) == command }
        }
    }

    private func isSwitch(_ message: SMQMessage) -> Bool { LEDContract.Switch(message.payload) != nil }
}
