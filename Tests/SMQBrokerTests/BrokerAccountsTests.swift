import DeviceCore
@testable import DeviceProtocols
import DeviceTransport
import NIOCore
import Testing

@testable import SMQBroker

@Suite struct BrokerAccountsTests {
    private let text = """
        // Comments may stand here.
        {"accounts": [
            {"name": "lamps", "uid": ["lamp-*", "hex:00a4ff*"], "password": "secret",
             "publish": ["/m2m/led/device", "/m2m/temp"], "subscribe": "/m2m/led/*"},
            {"uid": "ops-1", "password": "root", "publish": [], "subscribe": "*"},
            {"name": "pages", "uid": "web-*", "publish": "/m2m/led/display"}
        ]}
        """

    private func accounts(_ text: String? = nil) throws -> BrokerAccounts {
        try BrokerAccounts(Array((text ?? self.text).utf8), named: "accounts.json")
    }

    private func request(_ uid: [UInt8], _ credentials: [UInt8] = [], seed: UInt32 = 0x0102_0304) -> SMQConnectRequest {
        SMQConnectRequest(
            uid: ByteBuffer(bytes: uid), credentials: ByteBuffer(bytes: credentials), information: "", seed: seed,
            address: "127.0.0.1", url: "/smq.lsp", takesOver: false)
    }

    private func code(_ decision: SMQConnectDecision) -> SMQConnackCode? {
        if case .refuse(let code, _) = decision { code } else { nil }
    }

    private func mayUse(
        _ accounts: BrokerAccounts, _ uid: String, _ operation: SMQTopicRequest.Operation, _ name: String
    )
        -> Bool
    {
        accounts.permits(
            SMQTopicRequest(operation: operation, name: name, uid: ByteBuffer(string: uid), address: "127.0.0.1"))
    }

    /// SHA-1 of "secret" and 04 03 02 01, computed by another program.
    private let digest: [UInt8] = [
        0xab, 0xaa, 0xfd, 0xbf, 0x64, 0xb1, 0xdc, 0xc6, 0xf5, 0xa1, 0xc4, 0xa3, 0xcd, 0x76, 0xda, 0x69, 0x15, 0x2f,
        0x35, 0x3a,
    ]

    @Test func aPasswordIsCheckedAgainstTheSeed() throws {
        let accounts = try accounts()
        let crypto = OpenSSLCrypto()
        let lamp = Array("lamp-kitchen".utf8)
        let hex = Array(digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined().utf8)
        #expect(accounts.decide(request(lamp, digest), crypto: crypto) == .accept)
        #expect(accounts.decide(request(lamp, hex), crypto: crypto) == .accept)
        #expect(accounts.decide(request([0x00, 0xA4, 0xFF, 1, 2, 3], digest), crypto: crypto) == .accept)
        #expect(code(accounts.decide(request(lamp, digest, seed: 1), crypto: crypto)) == .badCredentials)
        #expect(code(accounts.decide(request(lamp), crypto: crypto)) == .badCredentials)
        #expect(code(accounts.decide(request(lamp, Array("secret".utf8)), crypto: crypto)) == .badCredentials)
        #expect(code(accounts.decide(request(lamp, Array(digest.dropLast())), crypto: crypto)) == .badCredentials)
    }

    @Test func whoFitsNoAccountIsRefused() throws {
        let accounts = try accounts()
        let crypto = OpenSSLCrypto()
        #expect(accounts.decide(request(Array("web-1234".utf8)), crypto: crypto) == .accept)
        #expect(code(accounts.decide(request(Array("stranger".utf8)), crypto: crypto)) == .denied)
        // A whole name, not its beginning.
        #expect(code(accounts.decide(request(Array("ops-12".utf8)), crypto: crypto)) == .denied)
        #expect(
            code(try self.accounts(#"{"accounts": []}"#).decide(request([1, 2, 3, 4, 5, 6]), crypto: crypto)) == .denied
        )
    }

    @Test func topicsAreThoseOfTheAccount() throws {
        let accounts = try accounts()
        #expect(mayUse(accounts, "lamp-1", .create, "/m2m/temp"))
        #expect(!mayUse(accounts, "lamp-1", .create, "/m2m/temperature"))
        #expect(mayUse(accounts, "lamp-1", .subscribe, "/m2m/led/display"))
        #expect(!mayUse(accounts, "lamp-1", .subscribe, "/m2m/temp"))
        #expect(mayUse(accounts, "lamp-1", .createSubtopic, "devinfo"))
        #expect(!mayUse(accounts, "ops-1", .create, "/m2m/temp"))
        #expect(mayUse(accounts, "ops-1", .subscribe, "anything"))
        #expect(mayUse(accounts, "web-9", .subscribe, "anything"))
        #expect(!mayUse(accounts, "web-9", .create, "anything"))
        #expect(!mayUse(accounts, "stranger", .create, "/m2m/temp"))
    }

    @Test(arguments: [
        ("[]", "no list"), (#"{"accounts": 1}"#, "no list"), (#"{"accounts": [], "users": []}"#, "users"),
        (#"{"accounts": [1]}"#, "account 1"), (#"{"accounts": [{}]}"#, "uid"),
        (#"{"accounts": [{"uid": "a"}, {"uid": []}]}"#, "account 2"), (#"{"accounts": [{"uid": "a*b"}]}"#, "pattern"),
        (#"{"accounts": [{"uid": "hex:0"}]}"#, "pattern"), (#"{"accounts": [{"uid": "hex:zz"}]}"#, "pattern"),
        (#"{"accounts": [{"uid": "a", "password": ""}]}"#, "password"),
        (#"{"accounts": [{"uid": "a", "password": 5}]}"#, "password"),
        (#"{"accounts": [{"uid": "a", "subscribe": [1]}]}"#, "subscribe"),
        (#"{"accounts": [{"uid": "a", "publsh": []}]}"#, "publsh"), ("{", "accounts.json"),
    ])
    func whatIsWrongIsNamed(_ text: String, _ word: String) throws {
        let error = #expect(throws: DeviceError.self) { try accounts(text) }
        #expect(error?.code == .configuration)
        #expect(error.map { "\($0)" }?.contains(word) == true, "\(String(describing: error))")
    }
}
