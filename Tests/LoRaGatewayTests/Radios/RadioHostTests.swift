import DeviceCore
import DeviceProtocols
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import LoRaGateway

@Suite struct RadioHostTests {
    @Test func aDeafRadioIsStartedAnewAndTheRestGoesOn() async throws {
        let server = try await FakeGWMPServer.start()
        let uplink = UplinkConfiguration(
            name: "ns", kind: .gwmp(GWMPServer(host: "127.0.0.1", portUp: server.port, portDown: server.port)))
        try await GatewayRig.run([uplink]) { rig in
            try await rig.waitUntilUp("ns")
            rig.radio.failStarts(2)
            rig.radio.freeze()
            try await eventually("it runs again") { rig.host.status.restarts == 1 && rig.host.status.isRunning }
            #expect(rig.host.status.failedStarts == 2)
            #expect(rig.radio.counters.starts == 2)
            rig.radio.hear(7)
            try await eventually("a frame") { server.numbers == [7] }
        }
        await server.stop()
    }

    @Test func anotherPlanRestartsTheRadio() async throws {
        try await GatewayRig.run([]) { rig in
            rig.host.use(RadioPlan(.eu868))
            rig.host.use(RadioPlan(.kr920))
            try await eventually("the new plan runs") {
                rig.radio.counters.starts == 2 && rig.host.status.isRunning
            }
            #expect(rig.host.currentPlan == RadioPlan(.kr920))
        }
    }

    /// From another thread, from the event loop itself, and what waited before anyone read.
    @Test(.timeLimit(.minutes(2))) func framesAreHandedOnWhereTheGatewayLives() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let radio = TestRadio()
        let host = RadioHost(radio, plan: RadioPlan(.eu868), clock: DeviceClock(ContinuousClock())) { _, _ in }
        let heard = Locked<[[UInt8]]>([])
        let first = radio.hear(1)
        let running = Task {
            await host.run(on: loop) { batch in
                #expect(loop.inEventLoop)
                heard.withLock { $0 += batch.map(\.payload) }
            }
        }
        try await eventually("the radio runs") { host.status.isRunning }
        let second = radio.hear(2)
        try await eventually("two frames") { heard.withLock { $0.count } == 2 }
        let third = try await loop.submit {
            let frame = radio.hear(3)
            #expect(heard.withLock { $0.count } == 2, "not in the midst of what calls the radio")
            return frame
        }.get()
        try await eventually("three frames") { heard.withLock { $0.count } == 3 }
        // What comes while it ends is handed on too.
        let last = try await loop.submit {
            running.cancel()
            return radio.hear(4)
        }.get()
        await running.value
        #expect(heard.withLock { $0 } == [first, second, third, last].map(\.payload))
        radio.hear(5)
        #expect(heard.withLock { $0.count } == 4, "it has ended")
    }
}
