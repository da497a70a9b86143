import ClusterClient
import DeviceCore
import DeviceProtocols
import FoundationEssentials
import FoundationXML
import SMQBroker
import TestSupport
import Testing

@testable import device_fleet

/// Whole fleets against brokers of their own.
@Suite(.serialized) struct FleetRunTests {
    private func options(
        _ nodes: [FleetTestNode], devices: Int = 50, _ set: (inout FleetOptions) -> Void = { _ in }
    ) throws -> FleetOptions {
        var options = FleetOptions()
        options.devices = devices
        options.brokers = try nodes.map { try $0.url }
        options.plan.ramp = .milliseconds(300)
        options.plan.every = .milliseconds(100)
        // A node is given up for the other one after a second instead of 250 ms: each has its share on a busy machine, too.
        options.profile = .relaxed
        set(&options)
        return options
    }

    @Test func everythingIsAccountedForWhenANodeEnds() async throws {
        let nodes = [try await FleetTestNode.start(), try await FleetTestNode.start()]
        let fleet = Fleet(try options(nodes))
        let running = Task { try await fleet.run() }
        try await eventually("all devices") { fleet.connected == 50 }
        try await eventually("messages") { fleet.ledger.totals.delivered > 200 && fleet.ledger.totals.answered > 10 }
        // All but the receiver.
        let moving = await nodes[0].broker.snapshot().clients - 1
        #expect(moving > 0 && moving <= 50)
        await nodes[0].stop()
        try await eventually("all devices at the other node") {
            fleet.connected == 50 && fleet.ledger.totals.sessions >= UInt64(50 + moving)
        }
        let before = fleet.ledger.totals.delivered
        try await eventually("more messages") { fleet.ledger.totals.delivered > before + 200 }
        fleet.stop()
        let summary = try await within(.seconds(60), "the run") { try await running.value }

        #expect(summary.connected == 50 && summary.everConnected == 50 && summary.totals.arrived == 50)
        #expect(summary.moves == UInt64(moving) && summary.gap.count == UInt64(moving))
        #expect(summary.totals.sessions == UInt64(50 + moving))
        #expect(summary.losses.values.reduce(0, +) == UInt64(moving))
        #expect(summary.connect.count == 50)
        #expect(summary.attempts >= UInt64(50 + moving))
        #expect(summary.totals.delivered + summary.lost == summary.totals.accepted)
        #expect(summary.latency.count == summary.totals.delivered)
        #expect(summary.totals.duplicated == 0 && summary.totals.unknown == 0 && summary.totals.ended == 0)
        #expect(
            summary.totals.answered + summary.totals.unanswered == summary.totals.commands && summary.command.count > 0)
        #expect(summary.totals.presses > 0)
        #expect(!summary.isLinked)
        try check(summary)
        await nodes[1].stop()
    }

    /// A script on some of the devices, beside what they do anyway.
    @Test func someDevicesRunAScript() async throws {
        let node = try await FleetTestNode.start()
        let directory = try TemporaryDirectory()
        let path = directory("beat.xlua")
        try AtomicFile.write(
            """
            local led, beats = esp32.gpio(26, "OUT"), 0
            smq = require "smq.client".create()
            timer = ba.timer(function()
               beats = beats + 1
               led:value(beats % 2 == 1)
               smq:publish("beat", "fleet/beat")
               if beats == 3 then error("the third beat") end
               return true
            end)
            timer:set(20)
            """, to: path)
        let notes = Locked<[String]>([])
        let fleet = Fleet(
            try options([node], devices: 10) {
                $0.scripts = FleetScripts.Settings(path: path, devices: 4)
            }
        ) { report in
            if case .note(let text) = report { notes.withLock { $0.append(text) } }
        }
        let running = Task { try await fleet.run() }
        try await eventually("all devices") { fleet.connected == 10 }
        // Devices, their scripts' own sessions, and the receiver.
        try await eventually("the scripts' sessions") { await node.broker.snapshot().clients == 10 + 4 + 1 }
        try await eventually("each script's third beat") { fleet.scripts?.figures.errors == 4 }
        fleet.stop()
        let summary = try await within(.seconds(60), "the run") { try await running.value }
        let scripts = try #require(summary.scripts)
        #expect(scripts.running == 4 && scripts.errors == 4 && scripts.kills == 0)
        // A chunk and three beats, each.
        #expect(scripts.activations >= 16)
        #expect(scripts.heap > 4 * 10_000 && scripts.heap < 4 * 100_000)
        #expect(notes.withLock { $0.count { $0.contains("the third beat") } } == 1, "told once")
        #expect(summary.json.objectValue?["scripts"]?.objectValue?["running"]?.integerValue == 4)
        #expect(FleetTerminal.text(summary).contains("scripts     4 run: "))
        #expect(summary.connected == 10 && summary.totals.duplicated == 0)
        await node.stop()
    }

    /// Nobody receives at the second node: exactly what goes through it is lost, as one who watches there sees.
    @Test func lossIsCountedExactly() async throws {
        let nodes = [try await FleetTestNode.start(), try await FleetTestNode.start()]
        let watcher = Watcher(try nodes[1].url)
        try await eventually("the watcher's topics") { await nodes[1].broker.snapshot().topics >= 3 }
        let notes = Locked<[String]>([])
        let fleet = Fleet(
            try options(nodes) {
                $0.receivers = [try! nodes[0].url]  // safe: it was made above already
                $0.plan.scenario = .sensors
                $0.settle = .seconds(2)
            }
        ) { report in
            if case .note(let text) = report { notes.withLock { $0.append(text) } }
        }
        let running = Task { try await fleet.run() }
        try await eventually("messages") { fleet.ledger.totals.delivered > 300 && watcher.messages > 300 }
        fleet.stop()
        let summary = try await within(.seconds(60), "the run") { try await running.value }
        #expect(summary.totals.delivered > 300 && summary.lost > 300)
        #expect(summary.lost == UInt64(watcher.messages))
        #expect(summary.totals.duplicated == 0)
        #expect(notes.withLock { $0 }.contains { $0.contains("count as lost") })
        watcher.stop()
        for node in nodes { await node.stop() }
    }

    /// Two receivers at one broker are what receivers at linked brokers are: each hears everything, and that is no
    /// duplicate.
    @Test func linkedBrokersAreRecognised() async throws {
        let node = try await FleetTestNode.start()
        let fleet = Fleet(
            try options([node], devices: 10) {
                $0.receivers = [try! node.url, try! node.url]  // safe: as above
            })
        let running = Task { try await fleet.run() }
        try await eventually("messages") { fleet.ledger.totals.delivered > 200 }
        fleet.stop()
        let summary = try await within(.seconds(60), "the run") { try await running.value }
        #expect(summary.isLinked && summary.totals.duplicated == 0 && summary.lost == 0)
        await node.stop()
    }

    /// Two brokers that will be linked.
    private func pair() async throws -> (nodes: [FleetTestNode], ports: [ReservedPort]) {
        let ports = [try ReservedPort(), try ReservedPort()]
        var nodes: [FleetTestNode] = []
        for own in ports.indices {
            nodes.append(
                try await FleetTestNode.start(links: (ports[own].port, [ports[1 - own].port])))  // safe: there are two
        }
        return (nodes, ports)
    }

    /// Where brokers are linked a device's hello comes to both receivers; commands go on by the one that is left.
    @Test func commandsGoOnWhenALinkedNodeEnds() async throws {
        let (nodes, ports) = try await pair()
        defer { withExtendedLifetime(ports) {} }
        for node in nodes { try await node.link() }
        for node in nodes { try await node.linked() }
        let urls = try nodes.map { try $0.url }
        let fleet = Fleet(
            try options(nodes) {
                // In the order of the nodes.
                $0.receivers = urls
                $0.plan.scenario = .leds
                $0.plan.every = .milliseconds(300)
            })
        let running = Task { try await fleet.run() }
        try await eventually("all devices") { fleet.connected == 50 }
        try await eventually("answers") { fleet.ledger.totals.answered > 100 }
        #expect(fleet.ledger.withLock { $0.isLinked })
        await nodes[0].stop()
        try await eventually("all devices at the other node") { fleet.connected == 50 }
        // Those that move say hello there; those that were there say nothing new.
        try await eventually("addresses at the other receiver") {
            fleet.ledger.withLock { state in
                state.addresses.indices.allSatisfy { device in
                    state.addresses[device].contains { $0.receiver == 1 && $0.time >= state.sessions[device] }
                }
            }
        }
        let before = fleet.ledger.totals
        try await eventually("more answers") { fleet.ledger.totals.answered > before.answered + 100 }
        let after = fleet.ledger.totals
        #expect(after.commandsRefused == before.commandsRefused)
        fleet.stop()
        let summary = try await within(.seconds(60), "the run") { try await running.value }
        #expect(summary.isLinked && summary.totals.duplicated == 0 && summary.absence.count == 0)
        await nodes[1].stop()
    }

    /// Links that come up later than the fleet: what comes to both receivers is no duplicate.
    @Test func linksThatComeLaterAreRecognised() async throws {
        let (nodes, ports) = try await pair()
        defer { withExtendedLifetime(ports) {} }
        let notes = Locked<[String]>([])
        let fleet = Fleet(try options(nodes, devices: 20)) { report in
            if case .note(let text) = report { notes.withLock { $0.append(text) } }
        }
        let running = Task { try await fleet.run() }
        try await eventually("messages") { fleet.connected == 20 && fleet.ledger.totals.delivered > 50 }
        #expect(!fleet.ledger.withLock { $0.isLinked })
        for node in nodes { try await node.link() }
        for node in nodes { try await node.linked() }
        try await eventually("that it is noticed") { fleet.ledger.withLock { $0.isLinked } }
        let before = fleet.ledger.totals.delivered
        try await eventually("more messages") { fleet.ledger.totals.delivered > before + 200 }
        fleet.stop()
        let summary = try await within(.seconds(60), "the run") { try await running.value }
        #expect(summary.isLinked && summary.totals.duplicated == 0 && summary.totals.unknown == 0)
        #expect(notes.withLock { $0 }.contains { $0.contains("are not linked") })
        for node in nodes { await node.stop() }
    }

    /// Devices that do not come back are in no histogram of moves.
    @Test func devicesThatStayAwayAreCounted() async throws {
        let node = try await FleetTestNode.start()
        let fleet = Fleet(
            try options([node], devices: 10) {
                $0.settle = .zero
                $0.profile = .normal
            })
        let running = Task { try await fleet.run() }
        try await eventually("all devices") { fleet.connected == 10 }
        await node.stop()
        try await eventually("no device") { fleet.connected == 0 }
        try await Task.sleep(for: .seconds(3))
        fleet.stop()
        let summary = try await within(.seconds(60), "the run") { try await running.value }
        #expect(summary.connected == 0 && summary.gap.count == 0)
        #expect(summary.absence.count == 10 && summary.absence.longest >= .seconds(1))
        let connections = summary.json["connections"]
        #expect(connections?["withoutSessionAtEnd"]?.integerValue == 10)
        #expect((connections?["longestWithoutSessionSeconds"]?.doubleValue ?? 0) >= 1)
        #expect(FleetTerminal.text(summary).contains("10 still without a session, the longest for "))
        #expect(FleetPicture(summary).svg.contains("10 without one at the end, the longest for "))
        try check(summary)
    }

    /// What devices keep in outboxes is not lost with a node, and arrives once.
    @Test func keptMessagesSurviveANode() async throws {
        let nodes = [try await FleetTestNode.start(), try await FleetTestNode.start()]
        let directory = try TemporaryDirectory()
        let fleet = Fleet(
            try options(nodes, devices: 8) {
                $0.delivery = .endToEnd
                $0.stateDirectory = directory.path
                $0.plan.scenario = .sensors
                $0.settle = .seconds(40)
            })
        let running = Task { try await fleet.run() }
        try await eventually("messages") { fleet.connected == 8 && fleet.ledger.totals.delivered > 50 }
        await nodes[0].stop()
        let before = fleet.ledger.totals.delivered
        try await eventually("more messages", within: .seconds(40)) {
            fleet.connected == 8 && fleet.ledger.totals.delivered > before + 100
        }
        fleet.stop()
        let summary = try await within(.seconds(90), "the run") { try await running.value }
        #expect(summary.totals.accepted > 150 && summary.totals.delivered == summary.totals.accepted)
        #expect(summary.lost == 0 && summary.kept == 0 && summary.totals.duplicated == 0)
        await nodes[1].stop()
    }

    @Test func nobodyThereIsAnError() async throws {
        let node = try await FleetTestNode.start()
        let url = try node.url
        await node.stop()
        var options = FleetOptions()
        options.brokers = [url]
        let fleet = Fleet(options)
        let error = await #expect(throws: DeviceError.self) { try await fleet.run() }
        #expect(error?.code == .unavailable)
    }

    /// What is written can be read by others.
    private func check(_ summary: FleetSummary) throws {
        let parsed = try JSONValue(parsing: summary.json.description, named: "summary")
        #expect(parsed["messages"]?["lost"]?.integerValue == Int64(summary.lost))
        #expect(parsed["connections"]?["moves"]?.integerValue == Int64(summary.moves))
        let bars = parsed["latency"]?["bars"]?.arrayValue ?? []
        let counted = bars.compactMap { $0["count"]?.integerValue }
        #expect(counted.reduce(0, +) == Int64(summary.totals.delivered))
        var hostile = summary
        hostile.brokers = ["smq://<a>&\"\u{7}b"]
        for picture in [FleetPicture(summary).svg, FleetPicture(hostile).svg] {
            let parser = XMLParser(data: Data(picture.utf8))
            #expect(parser.parse(), "\(String(describing: parser.parserError))")
            #expect(!picture.contains("nan") && !picture.contains("inf"))
        }
    }
}
