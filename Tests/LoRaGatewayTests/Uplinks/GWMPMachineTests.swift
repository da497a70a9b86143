import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@testable import LoRaGateway

/// The state machine of a GWMP server as a table of times.
@Suite struct GWMPMachineTests {
    private let a = IPAddress.loopback4
    private let b = IPAddress.loopback6
    private func time(_ milliseconds: Int64) -> MonotonicTime { .zero + .milliseconds(milliseconds) }

    private func machine() -> GWMPUplinkStateMachine {
        var server = GWMPServer(host: "ns", portUp: 1700, portDown: 1701)
        server.statInterval = nil
        return GWMPUplinkStateMachine(eui: GatewayEUI(1), server: server, firstToken: 0xFFFE, now: .zero)
    }

    /// What was sent: type, token, address.
    private func sent(_ actions: [GWMPUplinkStateMachine.Action]) -> [(type: UInt8, token: UInt16, to: Endpoint)] {
        actions.compactMap { action in
            guard case .send(let datagram, let endpoint) = action,
                let token = datagram.getInteger(at: 1, as: UInt16.self),
                let type = datagram.getInteger(at: 3, as: UInt8.self)
            else { return nil }
            return (type, token, endpoint)
        }
    }

    private func answer(_ type: UInt8, _ token: UInt16) -> ByteBuffer {
        ByteBuffer(bytes: [2, UInt8(token >> 8), UInt8(token & 255), type])
    }

    private func names(_ actions: [GWMPUplinkStateMachine.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .send(_, let endpoint): "send \(endpoint)"
            case .resolve: "resolve"
            case .renewSockets: "renew"
            case .changed(let isUp): isUp ? "up" : "down"
            case .delivered(let frames): "delivered \(frames.count)"
            case .missed(let frames): "missed \(frames.count)"
            case .downlink: "downlink"
            case .refused: "refused"
            case .warning(let kind, _): "warning \(kind)"
            }
        }
    }

    private func frame() -> ReceivedFrame {
        ReceivedFrame(
            RadioUplink(
                count: 1, frequency: RadioFrequency(hertz: 868_100_000), modulation: .fsk(bitRate: 50_000), rssi: -1,
                payload: [1], receivedAt: .zero),
            receivedAt: UTCTime(microseconds: 0))
    }

    @Test func aSilentAddressGivesWayToTheNext() throws {
        var machine = machine()
        #expect(names(machine.tick(now: time(0))) == ["resolve"])
        // Frames without an address come back at once.
        #expect(names(machine.push([frame()], now: time(1))) == ["missed 1"])
        let first = machine.resolved([a, b], again: .seconds(60), now: time(10))
        #expect(names(first) == ["send 127.0.0.1:1701"])
        let token = sent(first)[0].token
        // A token wraps, and is nothing but two bytes.
        #expect(token == 0xFFFF)
        #expect(names(machine.receive(answer(4, token), from: a, now: time(30))) == ["up"])
        #expect(machine.roundTrip == .milliseconds(20))

        let push = machine.push([frame(), frame()], now: time(100))
        #expect(names(push) == ["send 127.0.0.1:1700"])
        #expect(names(machine.receive(answer(1, sent(push)[0].token), from: a, now: time(110))) == ["delivered 2"])
        // An answer to nothing, and one from elsewhere.
        #expect(machine.receive(answer(1, 77), from: a, now: time(111)).isEmpty)
        let foreign = machine.receive(answer(1, 77), from: try #require(IPAddress("192.0.2.1")), now: time(112))
        #expect(names(foreign) == ["warning foreign-source"])

        // Silence: the frame comes back after a second, a question goes out, and after another second the next address
        // is tried, which goes on every second.
        _ = machine.push([frame()], now: time(200))
        #expect(names(machine.tick(now: time(1199))) == [])
        #expect(names(machine.tick(now: time(1200))) == ["missed 1", "send 127.0.0.1:1701"])
        #expect(names(machine.tick(now: time(2200))) == ["down", "send [::1]:1701"])
        #expect(!machine.isUp)
        #expect(names(machine.tick(now: time(3200))).contains("send 127.0.0.1:1701"))
        #expect(machine.counters.failovers == 2 && machine.counters.renewals == 1)
        // The other one answers.
        let probe = machine.tick(now: time(4200))
        let last = try #require(sent(probe).last)
        #expect(last.to.address == b)
        #expect(names(machine.receive(answer(4, last.token), from: b, now: time(4210))) == ["up"])
        #expect(machine.endpoint == Endpoint(b, port: 1700))
        // A new answer of the DNS leaves it there while the name has it.
        #expect(names(machine.resolved([a, b], again: .seconds(60), now: time(4300))).isEmpty)
        #expect(machine.endpoint == Endpoint(b, port: 1700))
    }

    @Test func oneLostDatagramIsNothing() {
        var machine = machine()
        _ = machine.tick(now: time(0))
        let first = machine.resolved([a], again: .seconds(60), now: time(0))
        _ = machine.receive(answer(4, sent(first)[0].token), from: a, now: time(1))
        // The keepalive's answer is lost; the next one comes.
        #expect(names(machine.tick(now: time(10_001))) == ["send 127.0.0.1:1701"])
        let again = machine.tick(now: time(11_001))
        #expect(names(again) == ["send 127.0.0.1:1701"])
        #expect(machine.receive(answer(4, sent(again)[0].token), from: a, now: time(11_010)).isEmpty)
        #expect(machine.isUp && machine.counters.renewals == 0)
    }

    @Test func whatWaitsIsBounded() {
        var machine = machine()
        _ = machine.tick(now: time(0))
        _ = machine.resolved([a], again: .seconds(60), now: time(0))
        var missed = 0
        for _ in 0..<3000 {
            for case .missed(let frames) in machine.push([frame()], now: time(1)) { missed += frames.count }
        }
        #expect(missed == 3000 - 2048)
        #expect(machine.takeUnacknowledged().count == 2048)
    }
}
