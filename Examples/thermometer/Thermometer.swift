// Publishes the processor's temperature every second, and prints what all devices publish.
//     swift run thermometer smq://localhost:8080
import DeviceSDK
import NIOCore

@main
struct Thermometer {
    static func main() async throws {
        let broker = try BrokerURL(CommandLine.arguments.dropFirst().first ?? "smq://localhost:8080")
        let uid = Array("thermometer-\(UInt32.random(in: 0 ... .max))".utf8)
        let client = SMQClient(SMQClientConfiguration(brokers: [broker], uid: uid))
        let events = client.events()  // before it runs, so that none is missed
        async let running: Void = client.run()  // connects, and comes back by itself
        async let printing: Void = {
            for await message in client.subscribe(to: LEDContract.temperatureTopic) {  // holds across reconnects
                let tenths = message.payload.getInteger(at: message.payload.readerIndex, as: Int16.self) ?? 0
                print("device \(message.publisher.id): \(Double(tenths) / 10) °C")
            }
        }()
        async let telling: Void = {
            var last = ""
            for await case .disconnected(_, let reason, _, _, _) in events where reason != last {
                print("no broker: \(reason)")
                last = reason
            }
        }()
        while !Task.isCancelled {
            let tenths = (try? CPUTemperature().tenths()) ?? 210
            // Without a broker this throws at once: nothing is kept, nothing is replayed.
            try? await client.publish(
                LEDContract.temperaturePayload(tenths: tenths), to: .topic(LEDContract.temperatureTopic))
            try await Task.sleep(for: .seconds(1))
        }
        _ = try await (running, printing, telling)
    }
}
