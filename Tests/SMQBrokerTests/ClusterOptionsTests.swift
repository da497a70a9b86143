import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import SMQBroker
import Testing

@Suite struct ClusterOptionsTests {
    private let loopback = ListenAddress(host: "127.0.0.1", port: 8080)

    private func options(_ peers: String, file: String? = nil, password: String? = nil) -> ClusterOptions {
        ClusterOptions(peers: peers, passwordFile: file, password: password, name: "test")
    }

    /// A file with a mode; the caller removes it.
    private func file(_ text: String, mode: mode_t) -> String {
        var path = Array("/tmp/cluster-password-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        _ = text.withCString { write(descriptor, $0, strlen($0)) }
        fchmod(descriptor, mode)
        close(descriptor)
        return String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test func peersAreAddressesAndNames() throws {
        let targets = try ClusterOptions.targets(
            "127.0.0.2, 127.0.0.3:1901,[::1]:1902,::1,brokers.example,a-b.example:1903", defaultPort: 1900)
        #expect(targets.map(\.name) == ["127.0.0.2", "127.0.0.3", "::1", "::1", "brokers.example", "a-b.example"])
        #expect(targets.map(\.port) == [1900, 1901, 1902, 1900, 1900, 1903])
    }

    @Test(arguments: [
        "", ",", "a,", "a:0", "a:65536", "a:b", "[::1", "1.2.3", "http://a", "a:1:2", "127.0.0.1:0", "a b:x",
    ])
    func whatIsNoPeerIsNamed(_ text: String) {
        #expect(throws: DeviceError.self) { try ClusterOptions.targets(text, defaultPort: 1900) }
    }

    /// A name can lead anywhere, whatever it begins with.
    @Test(arguments: ["127.example.com", "127.0.0.1.example", "128.0.0.1"])
    func theDevelopmentPasswordIsForLoopbackOnly(_ peer: String) {
        #expect(throws: DeviceError.self) { try options("127.0.0.2,\(peer)").cluster(listen: loopback) }
    }

    @Test func onLoopbackADevelopmentPasswordWillDo() throws {
        let cluster = try options("127.0.0.2,localhost,[::1]:7").cluster(listen: loopback)
        #expect(cluster.listen == ListenAddress(host: "127.0.0.1", port: 1900))
        #expect(!cluster.settings.link.password.isEmpty)
    }

    @Test(arguments: ["192.0.2.1", "brokers.example", "127.0.0.2,192.0.2.1"])
    func elsewhereAPasswordIsNeeded(_ peers: String) {
        let error = #expect(throws: DeviceError.self) { try options(peers).cluster(listen: loopback) }
        #expect(error?.exitStatus == 78)
        let open = ListenAddress(host: "0.0.0.0", port: 1)
        #expect(throws: DeviceError.self) { try options("127.0.0.2").cluster(listen: open) }
        #expect(throws: Never.self) { try options(peers, password: "long enough for that").cluster(listen: open) }
    }

    @Test func passwordsHaveALength() {
        for password in ["", "short", String(repeating: "x", count: 1025)] {
            let error = #expect(throws: DeviceError.self) {
                try options("127.0.0.2", password: password).cluster(listen: loopback)
            }
            #expect(error?.exitStatus == 78)
        }
    }

    @Test func theFileIsForItsOwnerOnly() throws {
        let good = file("a long cluster password\n", mode: 0o600)
        let bad = file("a long cluster password\n", mode: 0o604)
        defer {
            unlink(good)
            unlink(bad)
        }
        let cluster = try options("192.0.2.1", file: good).cluster(listen: loopback)
        #expect(cluster.settings.link.password == Array("a long cluster password".utf8))
        let error = #expect(throws: DeviceError.self) {
            try options("192.0.2.1", file: bad).cluster(listen: loopback)
        }
        #expect(error?.hint?.contains("chmod 600") == true)
        #expect(throws: DeviceError.self) {
            try options("192.0.2.1", file: "/nowhere/at/all").cluster(listen: loopback)
        }
        #expect(throws: DeviceError.self) {
            try options("192.0.2.1", file: good, password: "a long cluster password").cluster(listen: loopback)
        }
    }
}
