import ClusterClient
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceSimulator
import NIOCore
import Testing

@testable import LEDDemo

/// LED commands and announcements that scripts see, change or refuse.
@Suite(.timeLimit(.minutes(3))) struct HookedDeviceTests {
    @Test func aRefusedCommandChangesNothingAndThePageIsTold() async throws {
        let hooks = ScriptHooks(patience: .seconds(30))
        _ = try hooks.add(.led) { value, answer in
            answer(value.objectValue?["id"]?.integerValue == 1 ? .decision(.refuse("no")) : .decision(.pass))
        }
        try await withDemo(hooks: hooks) { demo in
            let toSelf = demo.page.subscribeToSelf(subtopic: LEDContract.infoSubtopic)
            let echoes = demo.page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic)
            try await demo.hello()
            let device = try #require(await toSelf.first { _ in true }).publisher
            try await demo.page.publish(LEDContract.Switch(id: 1, isOn: true).payload, to: .peer(device))
            let echo = try #require(await echoes.first { _ in true })
            #expect(LEDContract.Switch(echo.payload) == LEDContract.Switch(id: 1, isOn: false))
            #expect(try !demo.board.isHigh("pin11"))
            // A key is asked about, too.
            demo.device.toggle(2, source: "terminal")
            let second = try #require(await echoes.first { _ in true })
            #expect(LEDContract.Switch(second.payload) == LEDContract.Switch(id: 2, isOn: true))
        }
        #expect(hooks.counters.refused == 1 && hooks.counters.asked == 2)
    }

    @Test func aCommandCanBecomeItsOpposite() async throws {
        let hooks = ScriptHooks(patience: .seconds(30))
        _ = try hooks.add(.led) { _, answer in answer(.decision(.change(["on": true]))) }
        try await withDemo(hooks: hooks) { demo in
            let toSelf = demo.page.subscribeToSelf(subtopic: LEDContract.infoSubtopic)
            let echoes = demo.page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic)
            try await demo.hello()
            let device = try #require(await toSelf.first { _ in true }).publisher
            try await demo.page.publish(LEDContract.Switch(id: 3, isOn: false).payload, to: .peer(device))
            let echo = try #require(await echoes.first { _ in true })
            #expect(LEDContract.Switch(echo.payload) == LEDContract.Switch(id: 3, isOn: true))
        }
    }

    @Test func anAnnouncementCanBeChangedButNotItsLEDs() async throws {
        let hooks = ScriptHooks(patience: .seconds(30))
        _ = try hooks.add(.announce) { value, answer in
            var object = value.objectValue ?? [:]
            object["devname"] = "Renamed"
            object["leds"] = []
            answer(.decision(.change(.object(object))))
        }
        try await withDemo(hooks: hooks) { demo in
            let toSelf = demo.page.subscribeToSelf(subtopic: LEDContract.infoSubtopic)
            try await demo.hello()
            let message = try #require(await toSelf.first { _ in true })
            let info = try JSONValue(parsing: String(buffer: message.payload))
            #expect(info["devname"] == .string("Renamed"))
            #expect(info["leds"]?.arrayValue?.count == 4)
        }
    }
}
