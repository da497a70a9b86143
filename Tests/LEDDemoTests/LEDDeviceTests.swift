import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceSDK
import DeviceSimulator
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import LEDDemo

/// The device as a page sees it, through the embedded broker.
@Suite struct LEDDeviceTests {
    @Test func answersHelloObeysAndEchoes() async throws {
        try await withDemo { demo in
            let page = demo.page
            let toSelf = page.subscribeToSelf(subtopic: LEDContract.infoSubtopic)
            let echoes = page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic)
            try await demo.hello()
            let answer = try #require(await toSelf.first { _ in true })
            let info = try JSONValue(parsing: String(buffer: answer.payload))
            #expect(info["devname"] == .string("Test \"device\""))
            #expect(info["ipaddr"] == .string("127.0.0.1"))
            #expect(info["leds"]?[1]?["id"] == .integer(2))
            #expect(info["leds"]?[1]?["pin"] == .integer(13))
            #expect(info["leds"]?[1]?["on"] == .bool(false))
            #expect(info["board"]?["pins"]?[39]?["pin"] == .integer(40))

            let command = LEDContract.Switch(id: 2, isOn: true)
            try await page.publish(command.payload, to: .peer(answer.publisher))
            let echo = try #require(await echoes.first { _ in true })
            #expect(LEDContract.Switch(echo.payload) == command)
            #expect(try demo.board.isHigh("pin13"))
            #expect(try !demo.board.isHigh("pin11"))
        }
    }

    @Test func terminalSwitchesAreEchoed() async throws {
        try await withDemo { demo in
            let echoes = demo.page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic)
            try await demo.settle()
            demo.device.toggle(3, source: "terminal")
            let echo = try #require(await echoes.first { _ in true })
            #expect(LEDContract.Switch(echo.payload) == LEDContract.Switch(id: 3, isOn: true))
            #expect(try demo.board.isHigh("pin15"))
        }
    }

    @Test func nonsenseCommandsChangeNothing() async throws {
        try await withDemo { demo in
            let toSelf = demo.page.subscribeToSelf(subtopic: LEDContract.infoSubtopic)
            let echoes = demo.page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic)
            try await demo.hello()
            let device = try #require(await toSelf.first { _ in true }).publisher
            for bytes: [UInt8] in [[], [1], [1, 2], [0, 1], [9, 1], [255, 1], [1, 1, 1]] {
                try await demo.page.publish(ByteBuffer(bytes: bytes), to: .peer(device))
            }
            // What follows is still obeyed, and it is the first echo.
            try await demo.page.publish(LEDContract.Switch(id: 4, isOn: true).payload, to: .peer(device))
            let echo = try #require(await echoes.first { _ in true })
            #expect(LEDContract.Switch(echo.payload) == LEDContract.Switch(id: 4, isOn: true))
            #expect(try !demo.board.isHigh("pin11"))
        }
    }

    @Test func temperatureIsPublishedInTenths() async throws {
        try await withDemo { demo in
            let temperatures = demo.page.subscribe(to: LEDContract.temperatureTopic)
            try await demo.settle()
            demo.device.setTemperature(-5)
            let message = try #require(await temperatures.first { _ in true })
            #expect(message.payload.getInteger(at: message.payload.readerIndex, as: Int16.self) == -5)
        }
    }

    @Test(.timeLimit(.minutes(5))) func floodOfNonsenseIsOneWarningThatNamesThePeer() async throws {
        try await withDemo { demo in
            let toSelf = demo.page.subscribeToSelf(subtopic: LEDContract.infoSubtopic)
            let echoes = demo.page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic)
            try await demo.hello()
            let device = try #require(await toSelf.first { _ in true }).publisher
            let start = ContinuousClock.now
            for _ in 0..<2000 { try await demo.page.publish(ByteBuffer(bytes: [9, 1]), to: .peer(device)) }
            try await demo.page.publish(LEDContract.Switch(id: 1, isOn: true).payload, to: .peer(device))
            _ = try #require(await echoes.first { _ in true })
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            let warnings = try #require(demo.warnings.takeAll())
            #expect((1...(seconds + 1)).contains(warnings.count))
            let peer = try #require(demo.page.ownPeer)
            #expect(warnings.allSatisfy { $0.contains("peer \(peer.id) ") })
        }
    }

    @Test(.timeLimit(.minutes(5))) func pagesEndUpRightWhenPageAndKeysActAtOnce() async throws {
        try await withDemo { demo in
            let echoes = demo.page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.ledSubtopic)
            try await demo.settle()
            var iterator = echoes.makeAsyncIterator()
            var last = false
            for _ in 0..<50 {
                await withTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<4 {
                        tasks.addTask { for _ in 0..<50 { demo.device.toggle(1, source: "button") } }
                    }
                }
                // Toggles that saw the same state would publish it twice.
                for _ in 0..<200 {
                    let echo = try #require(await iterator.next())
                    let command = try #require(LEDContract.Switch(echo.payload))
                    try #require(command.isOn != last)
                    last = command.isOn
                }
            }
            #expect(try demo.board.isHigh("pin11") == last)
        }
    }

}
