import DeviceCore
import DeviceProtocols
import DeviceSimulator
import DeviceTransport
import Glibc
import LoRaNetworkServer
import Logging
import NIOPosix

/// Virtual devices behind a simulated concentrator's socket, and their network server: everything around a forwarder,
/// for trying foreign ones. `LoRaWorldProgram SOCKET SECONDS`; see Tests/LoRa/foreign.py.
///
/// `LoRaWorldProgram --hours 24 1000`: a day of a thousand devices and a gateway's queue, as fast as the machine can.
@main
enum LoRaWorldProgram {
    static func main() async throws {
        if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "--hours",
            let hours = Int(CommandLine.arguments[2]), (1...10_000).contains(hours),
            let devices = Int(CommandLine.arguments[3]), (1...10_000).contains(devices)
        {
            var run = try LongRun(devices: devices)
            return try run.run(hours: hours) { StandardOutput.write("\($0)\n") }
        }
        guard CommandLine.arguments.count == 3, let seconds = Double(CommandLine.arguments[2]) else {
            StandardError.write("usage: LoRaWorldProgram SOCKET SECONDS | --hours HOURS DEVICES\n")
            Glibc.exit(64)
        }
        var devices = VirtualDeviceSettings.fleet(10, interval: .seconds(5), radius: 150)
        for index in devices.indices {
            // There is little time.
            devices[index].keepsDutyCycle = false
            devices[index].spreadingFactor = 7
            devices[index].begin = .milliseconds(3000 + 300 * index)
        }
        var settings = NetworkServerSettings(region: .eu868, devices: devices.map(\.device))
        settings.classCInterval = .seconds(15)
        settings.keepsDutyCycle = false
        settings.secondWindowEvery = 3
        var logger = Logger(label: "world")
        logger.logLevel = .error
        let server = try await LoRaNetworkServer.start(
            settings, crypto: OpenSSLCrypto(), eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
        StandardOutput.write(
            "{\"gwmp\":\(server.forwarderAddress.port),\"lns\":\(server.stationAddress.port)}\n")
        let world = LoRaWorld(VirtualConcentratorSettings(), devices: devices, crypto: OpenSSLCrypto())
        var socket = try SimulatedSocket(world, path: CommandLine.arguments[1])
        let end = DeviceClock(.continuous)
        while end.now < .zero + .seconds(seconds) { try socket.turn(RadioPlan(.eu868)) }
        StandardOutput.write("\(report(socket, await server.counters()))\n")
        await server.close()
    }

    private static func report(_ socket: SimulatedSocket, _ counters: NetworkServerCounters) -> JSONValue {
        let states = socket.world.devices
        func sum(_ part: KeyPath<VirtualDeviceState, UInt64>) -> JSONValue {
            .integer(states.reduce(0) { $0 + Int64($1[keyPath: part]) })
        }
        let radio = socket.world.counters
        return [
            "connections": .integer(Int64(socket.connections)),
            "joined": .integer(Int64(states.filter { $0.isJoined }.count)), "joins": .integer(Int64(counters.joins)),
            "uplinks": sum(\.uplinks), "data": .integer(Int64(counters.data)),
            "rx1": sum(\.downlinksRX1), "rx2": sum(\.downlinksRX2), "classC": sum(\.downlinksClassC),
            "echoes": sum(\.echoes), "acknowledgements": sum(\.acknowledgements), "wrongMIC": sum(\.wrongMIC),
            "downlinks": .integer(Int64(counters.downlinks)), "accepted": .integer(Int64(counters.accepted)),
            "refused": .object(JSONObject(counters.refused.map { ($0.key, .integer(Int64($0.value))) })),
            "bad": .object(JSONObject(counters.bad.map { ($0.key, .integer(Int64($0.value))) })),
            "transmitted": .integer(Int64(radio.transmitted)), "late": .integer(Int64(radio.failed)),
            "lead min": .integer(socket.leads.min() ?? 0), "lead max": .integer(socket.leads.max() ?? 0),
        ]
    }
}
