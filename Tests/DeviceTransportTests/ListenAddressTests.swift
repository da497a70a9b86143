import DeviceCore
import DeviceTransport
import Glibc
import NIOCore
import Testing

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("8080", "127.0.0.1", 8080), ("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:0", "::1", 0),
        ("name:65535", "name", 65535),
    ])
    func reads(_ text: String, _ host: String, _ port: Int) throws {
        #expect(try ListenAddress(text) == ListenAddress(host: host, port: port))
    }

    @Test(arguments: ["", ":", ":80", "host:", "host:65536", "host:-1", "::1:80", "[::1]", "[::1]:", "host:80x", "+80"])
    func refuses(_ text: String) {
        let error = #expect(throws: DeviceError.self) { try ListenAddress(text) }
        #expect(error?.code == .invalidArgument && error?.hint != nil)
    }

    /// Not every listener is at --listen.
    @Test(arguments: ["--listen", "--page"]) func aBusyPortsErrorNamesItsFlag(_ flag: String) {
        let address = ListenAddress(host: "127.0.0.1", port: 80)
        let error = address.explain(IOError(errnoCode: EADDRINUSE, reason: "bind"), tool: "ss -ltnp", flag: flag)
        #expect(error.code == .busy && error.hint?.contains("another port with \(flag),") == true)
    }

    @Test func knowsLoopback() {
        #expect(ListenAddress(host: "127.0.0.1", port: 1).isLoopback)
        #expect(ListenAddress(host: "::1", port: 1).isLoopback)
        #expect(!ListenAddress(host: "0.0.0.0", port: 1).isLoopback)
        #expect(ListenAddress(host: "::1", port: 1).description == "[::1]:1")
    }
}
