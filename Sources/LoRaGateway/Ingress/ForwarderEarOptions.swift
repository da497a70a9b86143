import DeviceTransport

/// The command line of the ear, checked.
struct ForwarderEarOptions: Sendable {
    var listen = ListenAddress(host: "127.0.0.1", port: 1700)
    var isLAN = false
    var maxGateways = 1000
    var duration: Duration?
    var isJSON = false
}
