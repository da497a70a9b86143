import DeviceCore
import DeviceProtocols
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
}
