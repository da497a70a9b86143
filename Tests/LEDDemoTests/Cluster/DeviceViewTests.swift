import DeviceCore
import Testing

@testable import LEDDemo

@Suite struct DeviceViewTests {
    private let one = "smq://cluster.demo:8081/smq.lsp (127.0.0.1:8081)"
    private let two = "smq://cluster.demo:8081/smq.lsp (127.0.0.2:8081)"

    @Test func theDevicesOwnEventsAreUnderstood() {
        var view = DeviceView()
        func take(_ event: DemoEvent) { view.take(event.json, at: .zero) }
        take(.connected(node: one, address: "127.0.0.1"))
        #expect(view.node == one)
        take(
            .heartbeat(run: "ab", sent: 7, delivered: 6, waiting: 1, node: one, standby: two))
        #expect(view.sent == 7)
        #expect(view.waiting == 1)
        #expect(view.standby == two)
        take(.disconnected(node: one, reason: "silence", hint: nil, retryIn: .zero, wasConnected: true))
        #expect(view.node == nil)
        #expect(view.trouble == "silence")
        take(.connected(node: two, address: "127.0.0.1"))
        take(.moved(from: one, to: two, reason: "silence", gap: .milliseconds(3), silence: .milliseconds(400)))
        #expect(view.node == two)
        #expect(view.trouble == nil)
        #expect(view.moves.map(\.gap) == [3])
        #expect(view.moves.map(\.silence) == [400])
        #expect(view.moves.map(\.to) == [two])
    }

    @Test func anAttemptThatFailsDoesNotEndTheSession() {
        var view = DeviceView()
        view.take(DemoEvent.connected(node: one, address: "").json, at: .zero)
        view.take(
            DemoEvent.disconnected(node: two, reason: "refused", hint: nil, retryIn: .zero, wasConnected: false).json,
            at: .zero)
        #expect(view.node == one)
    }

    @Test func movesAreBoundedAndCounted() {
        var view = DeviceView()
        for _ in 0..<50 {
            view.take(
                DemoEvent.moved(from: one, to: two, reason: "", gap: .zero, silence: .zero).json, at: .zero)
        }
        #expect(view.moves.count == DeviceView.limit)
        #expect(view.moves.last?.number == 50)
    }

    @Test(arguments: [
        "", "{", "[]", "1", "{\"event\":\"moved\"}", "{\"event\":7}", "{\"event\":\"heartbeat\",\"sent\":-1}",
    ])
    func otherLinesChangeNothingOfNote(_ line: String) {
        var view = DeviceView()
        view.take(line, at: .zero)
        #expect(view.sent == 0)
        #expect(view.moves.isEmpty)
    }

    @Test func thePageFindsNodesByTheirAddresses() throws {
        var view = DeviceView()
        view.take(DemoEvent.moved(from: one, to: two, reason: "x", gap: .zero, silence: .zero).json, at: .zero)
        view.take(DemoEvent.connected(node: two, address: "").json, at: .zero)
        var crashed = NodeStateMachine()
        _ = crashed.receive(.start)
        crashed.ended(1, status: -11)
        let snapshots = [NodeStateMachine(), crashed].map {
            ClusterNode.Snapshot(state: $0.state, commands: $0.commands, process: nil, lastLine: nil)
        }
        let state = ClusterState(
            nodes: zip(["127.0.0.1:8081", "127.0.0.2:8081"], snapshots).map {
                ClusterState.Node(name: "Node", address: $0, snapshot: $1, received: 0)
            }, device: view, highest: 3, received: 2, lost: 1, course: [[1, 0]], now: .zero + .seconds(2))
        let json = try JSONValue(parsing: state.json)
        #expect(json["device"]?["node"]?.integerValue == 1)
        #expect(json["moves"]?[0]?["from"]?.integerValue == 0)
        #expect(json["moves"]?[0]?["age"]?.integerValue == 2000)
        #expect(json["messages"]?["sent"]?.integerValue == 3)
        #expect(json["nodes"]?[1]?["state"]?.stringValue == "crashed")
        #expect(json["nodes"]?[1]?["exit"]?.integerValue == -11)
        #expect(json["nodes"]?[0]?["state"]?.stringValue == "stopped")
    }
}
