import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import NIOCore
import TestSupport
import Testing

@testable import LoRaGateway

@Suite struct ServiceTests {
    @Test func aSecondGatewayIsToldWhoHasTheLock() throws {
        let directory = try TemporaryDirectory()
        let place = directory("a/b")
        let lock = try ProcessLock(directory: place)
        let error = #expect(throws: DeviceError.self) { try ProcessLock(directory: place) }
        #expect(
            error?.code == .busy && error?.message.contains("process \(getpid()) (") == true,
            "\(String(describing: error))")
        withExtendedLifetime(lock) {}
    }

    @Test func theLockGoesWithItsHolder() throws {
        let directory = try TemporaryDirectory()
        do { _ = try ProcessLock(directory: directory.path) }
        _ = try ProcessLock(directory: directory.path)
    }

    @Test(arguments: [false, true])
    func systemdIsToldOverItsSocket(isAbstract: Bool) throws {
        let directory = try TemporaryDirectory()
        let path = isAbstract ? "@devicesdk-test-\(getpid())" : directory("notify")
        let file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(file) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        if isAbstract { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(2 + name.count)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(file, $0, length) }
        }
        try #require(bound == 0)
        let environment = ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "\(getpid())"]
        let notifier = SystemdNotifier { environment[$0] }
        #expect(notifier.watchdog == .seconds(30))
        notifier.send("READY=1", "STATUS=2 up-links")
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = recv(file, &bytes, bytes.count, 0)
        #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) == "READY=1\nSTATUS=2 up-links")
    }

    @Test func withoutSystemdNothingIsSent() {
        let notifier = SystemdNotifier { ["WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"][$0] }
        #expect(notifier.watchdog == nil)
        notifier.send("READY=1")
        SystemdNotifier { ["NOTIFY_SOCKET": "/nowhere/at/all"][$0] }.send("READY=1")
    }

    /// A vendor's forwarder that says nothing is listened for anew before systemd ends the program.
    @Test func theWatchdogOutlastsWhatTheProgramMends() throws {
        let root = "\(#filePath)".split(separator: "/").dropLast(4).joined(separator: "/")
        let unit = "/\(root)/Hardware/systemd/loragateway.service"
        let line = try #require(
            try SystemFile.text(unit).split(separator: "\n").first { $0.hasPrefix("WatchdogSec=") })
        let seconds = try #require(Int(line.dropFirst("WatchdogSec=".count)))
        // The clock is looked at each second and the watchdog fed each ten.
        #expect(Duration.seconds(seconds) >= GatewayParts.forwarderStandstill * 2 + .seconds(30))
    }

    /// What the program refuses at its start, `--check-config` refuses too: systemd does not try such settings again.
    @Test(arguments: [
        (#""page": "127.0.0.1:8090""#, [String](), 78, "name no radio"),
        (#""page": "127.0.0.1:8090""#, ["--simulate"], 0, ""),
        (#""radio": {"kind": "forwarder"}"#, [], 0, ""),
        (#""radio": {"kind": "forwarder", "listen": "0.0.0.0:1700"}"#, [], 78, "no passwords"),
        (#""radio": {"kind": "forwarder", "listen": "0.0.0.0:1700"}"#, ["--lan"], 0, ""),
        (#""radio": {"kind": "virtual"}, "page": "0.0.0.0:8090""#, [], 78, "Add --lan"),
        (#""radio": {"kind": "virtual"}, "page": "0.0.0.0:8090""#, ["--lan"], 0, ""),
    ])
    func settingsAreCheckedAsTheyAreUsed(
        _ settings: String, _ flags: [String], _ status: Int32, _ part: String
    ) async throws {
        let directory = try TemporaryDirectory()
        let text = #"{"uplinks": [{"kind": "gwmp", "server": "ns.example"}], \#(settings)}"#
        try TemporaryDirectory.write(Array(text.utf8), to: directory("g.json"))
        let program = try ChildProgram(
            [
                "env", "-u", "DEVICE_LAN", try ChildProcess.path(beside: "LoRaGateway"), "--check-config", "--config",
                directory("g.json"),
            ]
                + flags)
        #expect(try await program.ended() == status)
        #expect(program.output.contains(part.isEmpty ? "nothing is wrong" : part), "\(program.output)")
    }

    @Test func theMachinesEUIComesFromItsNetworkCard() throws {
        let directory = try TemporaryDirectory()
        for (name, address) in [("lo", "00:00:00:00:00:00"), ("eth0", "b8:27:eb:01:02:03")] {
            mkdir(directory(name), 0o700)
            try TemporaryDirectory.write(Array("\(address)\n".utf8), to: directory("\(name)/address"))
        }
        #expect(MachineEUI.make(directory.path)?.description == "b827ebfffe010203")
        #expect(MachineEUI.make(directory("none")) == nil)
    }

    @Test func otherUplinksDoNotTouchTheRadioOrTheOthers() async throws {
        let first = try await FakeGWMPServer.start()
        let second = try await FakeGWMPServer.start()
        func uplink(_ server: FakeGWMPServer, _ name: String) -> UplinkConfiguration {
            UplinkConfiguration(
                name: name, kind: .gwmp(GWMPServer(host: "127.0.0.1", portUp: server.port, portDown: server.port)))
        }
        let (one, two) = (uplink(first, "one"), uplink(second, "two"))
        try await GatewayRig.run([one]) { rig in
            try await rig.waitUntilUp("one")
            rig.radio.hear(1)
            try await eventually("a frame") { first.numbers == [1] }
            let port = first.sources
            try await rig.loop.flatSubmit { rig.core.value.use([one, two]) }.get()
            try await rig.waitUntilUp("two")
            rig.radio.hear(2)
            try await eventually("at both") { first.numbers == [1, 2] && second.numbers == [2] }
            try await rig.loop.flatSubmit { rig.core.value.use([two]) }.get()
            rig.radio.hear(3)
            try await eventually("at the second") { second.numbers == [2, 3] }
            #expect(first.numbers == [1, 2] && first.sources == port)
            #expect(rig.radio.counters.starts == 1)
        }
        await first.stop()
        await second.stop()
    }

    /// The whole program with the virtual concentrator and the built-in server.
    @Test(arguments: ["gwmp", "lns"])
    func theSimulationRunsAndItsPageAnswers(_ server: String) async throws {
        var options = GatewayServiceOptions()
        options.isSimulated = true
        options.devices = 4
        options.interval = .seconds(1)
        options.builtInProtocol = server
        options.page = ListenAddress(host: "127.0.0.1", port: 0)
        options.isJSON = true
        let text = Locked("")
        let service = GatewayService(options: options) { part in text.withLock { $0 += part } }
        let task = Task { try await service.run() }
        defer { task.cancel() }
        @Sendable func lines() -> [JSONValue] {
            text.withLock { $0 }.split(separator: "\n").compactMap { try? JSONValue(parsing: $0, options: .message) }
        }
        try await eventually("frames and an answer on the air") {
            let lines = lines()
            return lines.contains { $0["event"] == "rxpk" } && lines.contains { $0["fate"] == "sent" }
        }
        let page = try #require(lines().first { $0["event"] == "page" }?["address"]?.stringValue)
        let port = try #require(Int(page.dropFirst("http://127.0.0.1:".count).prefix { $0.isNumber }))
        func get(_ path: String) async throws -> String {
            try await RawConnection.exchange(
                port: port, "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        }
        let status = try await get("/status")
        let body = try JSONValue(
            parsing: status[(try #require(status.firstRange(of: "\r\n\r\n"))).upperBound...], options: .message)
        #expect(body["radio"]?["running"] == true && body["uplinks"]?[0]?["up"] == true)
        #expect(body["devices"]?.arrayValue?.count == 4 && body["frames"]?.arrayValue?.isEmpty == false)
        #expect(try await get("/health").contains("\"ready\":true"))
        #expect(try await get("/metrics").contains("lora_uplink_up{uplink=\"virtual network server\"} 1"))
        #expect(try await get("/").contains("lora.js"))
        #expect(try await get("/lora.js").contains("showUplinks"))
        task.cancel()
        try await within { try await task.value }
        #expect(lines().last?["event"] == "ended")
    }
}
