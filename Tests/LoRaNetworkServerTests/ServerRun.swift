import DeviceCore
import DeviceProtocols
import DeviceTransport
import LoRaNetworkServer
import Logging
import NIOPosix
import TestSupport

/// A network server on free ports of loopback.
struct ServerRun {
    let server: LoRaNetworkServer

    init(_ devices: [LoRaWANDevice], change: (inout NetworkServerSettings) -> Void = { _ in }) async throws {
        var settings = NetworkServerSettings(region: .eu868, devices: devices)
        change(&settings)
        var logger = Logger(label: "network-server")
        logger.logLevel = .error
        server = try await LoRaNetworkServer.start(
            settings, crypto: OpenSSLCrypto(), eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
    }

    /// Waits until the server has counted what a test waits for.
    func wait(_ what: String, until condition: @escaping @Sendable (NetworkServerCounters) -> Bool) async throws {
        try await within(.seconds(60), what) { [server] in
            while await !condition(server.counters()) { try await Task.sleep(for: .milliseconds(10)) }
        }
    }
}

/// Two devices whose keys the tests know.
enum TestDevices {
    static let key = parse("2b7e151628aed2a6abf7158809cf4f3c")
    static let keys = LoRaWANSessionKeys(
        network: parse("44024241ed4ce9a68c6a8bc055233fd3"), application: parse("ec925802ae430ca77fd3dd73cb2cc588"))
    static let joining = LoRaWANDevice(
        devEUI: EUI64(0x0102_0304_0506_0708), joinEUI: EUI64(0x1112_1314_1516_1718),
        activation: .overTheAir(key))
    /// The device of lora-packet's published frame.
    static let personalized = LoRaWANDevice(
        devEUI: EUI64(0x2122_2324_2526_2728), joinEUI: EUI64(0), activation: .personalized(DevAddr(0x49BE_7DF1), keys))

    private static func parse(_ text: String) -> LoRaWANKey {
        guard let key = LoRaWANKey(text) else { preconditionFailure("\(text) is no key") }  // safe: written above
        return key
    }

    static func joinRequest(nonce: UInt16) throws -> [UInt8] {
        var request = LoRaWANJoinRequest(joinEUI: joining.joinEUI, devEUI: joining.devEUI, devNonce: nonce)
        request.mic = try LoRaWANSecurity(OpenSSLCrypto()).mic(ofJoin: request, key: key)
        return request.bytes
    }
}
