import DeviceCore
import DeviceProtocols
import Testing

@Suite struct BrokerURLTests {
    @Test(arguments: [
        ("broker", "smq://broker:80/smq.lsp"),
        ("smq://broker", "smq://broker:80/smq.lsp"),
        ("smqs://broker", "smqs://broker:443/smq.lsp"),
        ("HTTP://broker:8080/", "smq://broker:8080/smq.lsp"),
        ("https://broker/other", "smqs://broker:443/other"),
        ("ws://broker/smq.lsp?token=secret", "ws://broker:80/smq.lsp"),
        ("wss://[fe80::1]:9000", "wss://[fe80::1]:9000/smq.lsp"),
        ("smq://10.0.0.1?token=x", "smq://10.0.0.1:80/smq.lsp"),
    ])
    func reads(_ text: String, _ printed: String) throws {
        #expect(try BrokerURL(text).description == printed)
    }

    /// A query goes to the broker but not into logs, since it may hold a token.
    @Test func keepsTheQuery() throws {
        #expect(try BrokerURL("smq://10.0.0.1?token=x").path == "/smq.lsp?token=x")
        #expect(try BrokerURL("ws://[::1]/a?b").authority == "[::1]:80")
    }

    @Test(arguments: [
        "", "smq://", "smq:///path", "ftp://broker", "smq://user:password@broker", "smq://broker:", "smq://broker:0",
        "smq://broker:65536", "smq://broker:+80", "smq://broker:8o", "smq://a:b:c", "smq://[::1", "smq://[::1]80",
        "smq://bro ker", "smq://broker/a b", "smq://broker/\r\nX: y", "smq://bröker", "://broker", "::1",
    ])
    func refuses(_ text: String) {
        let error = #expect(throws: DeviceError.self) { try BrokerURL(text) }
        #expect(error?.code == .invalidArgument && error?.hint?.contains("smq://") == true)
    }
}
