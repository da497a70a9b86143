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

    private func machine(keepsOrder: Bool = false) -> GWMPUplinkStateMachine {
        var server = GWMPServer(host: "ns", portUp: 1700, portDown: 1701)
        server.statInterval = nil
        return GWMPUplinkStateMachine(
            eui: GatewayEUI(1), server: server, keepsOrder: keepsOrder, firstToken: 0xFFFE, now: .zero)
    }

    /// A machine whose server is up at a time of 1 ms.
    private func machineThatIsUp(keepsOrder: Bool = false) throws -> GWMPUplinkStateMachine {
        var machine = machine(keepsOrder: keepsOrder)
        _ = machine.tick(now: time(0))
        let first = machine.resolved([a], again: .seconds(60), now: time(0))
        let token = try #require(sent(first).first?.token)
        #expect(names(machine.receive(answer(4, token), from: a, now: time(1))) == ["up"])
        return machine
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
            case .overflowed(let frames): "overflowed \(frames.count)"
            case .downlink: "downlink"
            case .refused: "refused"
            case .warning(let kind, _): "warning \(kind)"
            }
        }
    }

    private func frame(_ number: UInt64 = 1) -> ReceivedFrame {
        ReceivedFrame(
            RadioUplink(
                count: number, frequency: RadioFrequency(hertz: 868_100_000), modulation: .fsk(bitRate: 50_000),
                rssi: -1,
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

    /// The radio's clock of the frames that come back or were delivered.
    private func counts(_ actions: [GWMPUplinkStateMachine.Action], missed: Bool) -> [UInt64] {
        actions.flatMap { action -> [UInt64] in
            switch action {
            case .missed(let frames) where missed, .overflowed(let frames) where missed: frames.map(\.uplink.count)
            case .delivered(let frames) where !missed: frames.map(\.uplink.count)
            default: []
            }
        }
    }

    /// `tmst` of all frames in the datagrams.
    private func numbers(_ actions: [GWMPUplinkStateMachine.Action]) throws -> [[UInt32]] {
        try actions.compactMap { action in
            guard case .send(let datagram, _) = action, datagram.getInteger(at: 3, as: UInt8.self) == 0 else {
                return nil
            }
            guard case .pushData(let data) = try GWMPDatagram(datagram).content else { return nil }
            #expect(data.rejected.isEmpty)
            return data.rxpk.compactMap(\.tmst)
        }
    }

    private func lengths(_ actions: [GWMPUplinkStateMachine.Action]) -> [Int] {
        actions.compactMap { action in
            guard case .send(let datagram, _) = action else { return nil }
            return datagram.readableBytes
        }
    }

    @Test func framesThatComeTogetherShareDatagramsOfOnePacket() throws {
        var machine = try machineThatIsUp()
        let actions = machine.push((1...20).map { frame($0) }, now: time(10))
        #expect(try numbers(actions).flatMap { $0 } == Array(1...20))
        let lengths = lengths(actions)
        // All but the last are as full as a packet allows: one more of these frames would not fit.
        #expect(lengths.count > 1 && lengths.count < 10 && lengths.allSatisfy { $0 <= 1232 }, "\(lengths)")
        #expect(lengths.dropLast().allSatisfy { $0 > 1232 - 250 }, "\(lengths)")
        // A report takes a part of its datagram.
        var stat = GWMPStat()
        stat.desc = String(repeating: "x", count: 1000)
        let reported = machine.push([frame(21), frame(22)], stat: stat, now: time(11))
        #expect(try numbers(reported).flatMap { $0 } == [21, 22])
        #expect(self.lengths(reported).allSatisfy { $0 <= 1232 } && reported.count == 2)
    }

    @Test func noMoreThanAWindowIsUnderWay() throws {
        var machine = try machineThatIsUp()
        let window = GWMPUplinkStateMachine.window
        var first: [GWMPUplinkStateMachine.Action] = []
        for number in 0..<1000 { first += machine.push([frame(UInt64(number))], now: time(10)) }
        #expect(sent(first).count == window)
        #expect(try numbers(first).flatMap { $0 } == Array(0..<UInt32(window)))
        // An acknowledgement makes room for one datagram, which takes as many as fit.
        let token = try #require(sent(first).first?.token)
        let next = machine.receive(answer(1, token), from: a, now: time(20))
        #expect(counts(next, missed: false) == [0])
        let taken = try #require(try numbers(next).first)
        #expect(sent(next).count == 1 && taken.first == UInt32(window) && taken.count > 3)
        // A report does not wait, and takes frames along.
        let report = machine.push([], stat: GWMPStat(), now: time(21))
        let along = try #require(try numbers(report).first)
        #expect(sent(report).count == 1 && along.first == UInt32(window + taken.count))
        // The others count as missed after their time and make room for those that wait.
        let later = machine.tick(now: time(1010))
        #expect(counts(later, missed: true) == (1..<UInt64(window)).map { $0 })
        #expect(try numbers(later).flatMap { $0 }.first == UInt32(window + taken.count + along.count))
    }

    @Test(arguments: [false, true]) func whatWaitsIsBounded(keepsOrder: Bool) throws {
        var machine = try machineThatIsUp(keepsOrder: keepsOrder)
        let (window, limit) = (GWMPUplinkStateMachine.window, GWMPUplinkStateMachine.waitingLimit)
        let count = window + limit + 100
        var missed: [UInt64] = []
        for number in 0..<count {
            missed += counts(machine.push([frame(UInt64(number))], now: time(10)), missed: true)
        }
        #expect(machine.counters.overflow == 100)
        // The oldest of those that wait make room; where order is kept, the newest are given back.
        let first = keepsOrder ? window + limit : window
        #expect(missed == (first..<first + 100).map { UInt64($0) })
        // At the end each of the others has come back or gone out.
        let end = machine.finish(now: time(20))
        #expect(counts(end, missed: true).count == window + limit)
        #expect(try numbers(end).flatMap { $0 }.count == (keepsOrder ? 0 : limit))
    }

    @Test func orderIsKeptWhenTheServerGoesAway() throws {
        var machine = try machineThatIsUp(keepsOrder: true)
        for number in 0..<500 { _ = machine.push([frame(UInt64(number))], now: time(10)) }
        let actions = machine.tick(now: time(1010))
        #expect(names(actions).contains("down"))
        // What was under way and what waited behind it, in one piece and in order.
        #expect(counts(actions, missed: true) == (0..<500).map { UInt64($0) })
        #expect(try numbers(actions).isEmpty)
    }
}
