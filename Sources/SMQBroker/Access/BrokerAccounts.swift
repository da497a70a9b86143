public import DeviceCore
public import DeviceProtocols
import NIOCore

/// Who may use a broker, and for what: accounts, each for the clients whose unique ids fit a pattern.
///
/// The first account in the file that fits a client decides; a client that fits none is refused. An account with a
/// password takes the credentials of the public LED demo, SHA-1 of the password's bytes and of the seed as four
/// little-endian bytes, as 20 bytes or as 40 hexadecimal digits. One without lets everybody in whose id fits.
public struct BrokerAccounts: Sendable {
    /// A name or a beginning of names.
    struct Pattern: Sendable, Equatable {
        var bytes: [UInt8]
        var isPrefix: Bool

        /// `kitchen-lamp`; `kitchen-*` and `*` for all that begin so; `hex:0010a4*` for ids that are no text.
        init?(_ text: String) {
            isPrefix = text.hasSuffix("*")
            let body = isPrefix ? text.dropLast() : text[...]
            guard !body.contains("*") else { return nil }
            guard body.hasPrefix("hex:") else {
                bytes = Array(body.utf8)
                return
            }
            let digits = body.dropFirst(4).utf8.map { byte -> UInt8? in
                switch byte {
                case 0x30...0x39: byte - 0x30
                case 0x61...0x66: byte - 0x57
                case 0x41...0x46: byte - 0x37
                default: nil
                }
            }
            guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
            let values = digits.compactMap { $0 }
            bytes = stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }  // safe: even
        }

        func fits(_ name: some Collection<UInt8>) -> Bool {
            isPrefix ? name.starts(with: bytes) : name.elementsEqual(bytes)
        }
    }

    struct Account: Sendable, Equatable {
        var name: String
        var uids: [Pattern]
        var password: [UInt8]?
        /// Topics that may be created, which publishing needs.
        var publish: [Pattern]
        var subscribe: [Pattern]
    }

    /// Accounts of one file.
    static let limit = 10_000
    private static let longestPassword = 1024
    let accounts: [Account]

    /// Reads `{"accounts": [{"name", "uid", "password", "publish", "subscribe"}]}`. `uid`, `publish` and `subscribe`
    /// are a pattern or a list of them; without `publish` or `subscribe` everything may be published or subscribed to.
    ///
    /// - Parameter name: the file's, for messages.
    /// - Throws: ``DeviceError`` `configuration` that names the account and the member that is wrong.
    public init(_ text: [UInt8], named name: String) throws(DeviceError) {
        let value = try JSONValue(parsing: text, named: name, options: .settingsFile)
        guard let members = value.objectValue, let list = members["accounts"]?.arrayValue else {
            throw DeviceError(
                .configuration, "\(name) has no list \"accounts\"",
                hint: "Write {\"accounts\": [{\"name\": \"lamps\", \"uid\": \"lamp-*\", \"password\": \"...\"}]}")
        }
        if let stranger = members.keys.first(where: { $0 != "accounts" }) {
            throw DeviceError(.configuration, "\(name) has the unknown member \"\(stranger.prefix(60))\"")
        }
        guard list.count <= Self.limit else {
            throw DeviceError(.configuration, "\(name) has \(list.count) accounts; \(Self.limit) are the most")
        }
        var accounts: [Account] = []
        for (index, entry) in list.enumerated() { accounts.append(try Self.account(entry, index + 1, name)) }
        self.accounts = accounts
    }

    private static func account(_ value: JSONValue, _ number: Int, _ file: String) throws(DeviceError) -> Account {
        func wrong(_ what: String, _ hint: String? = nil) -> DeviceError {
            DeviceError(.configuration, "account \(number) of \(file) \(what)", hint: hint)
        }
        guard let members = value.objectValue else { throw wrong("is \(value.kind), not an object") }
        for key in members.keys where !["name", "uid", "password", "publish", "subscribe"].contains(key) {
            throw wrong(
                "has the unknown member \"\(key.prefix(60))\"", "Known are name, uid, password, publish, subscribe")
        }
        func patterns(_ key: String) throws(DeviceError) -> [Pattern]? {
            guard let value = members[key] else { return nil }
            var patterns: [Pattern] = []
            for text in value.arrayValue ?? [value] {
                guard let text = text.stringValue, let pattern = Pattern(text) else {
                    throw wrong(
                        "has a \"\(key)\" that is no pattern",
                        "Write a name, or a beginning with a * at its end: \"lamp-*\"")
                }
                patterns.append(pattern)
            }
            return patterns
        }
        guard let uids = try patterns("uid"), !uids.isEmpty else {
            throw wrong("has no \"uid\"", "Write \"uid\": \"*\" for every client")
        }
        var password: [UInt8]?
        if let secret = members["password"] {
            guard let text = secret.stringValue, (1...longestPassword).contains(text.utf8.count) else {
                throw wrong("has a password that is no text of 1 to \(longestPassword) bytes")
            }
            password = Array(text.utf8)
        }
        let everything = [Pattern("*")].compactMap { $0 }
        return Account(
            name: members["name"]?.stringValue ?? "account \(number)", uids: uids, password: password,
            publish: try patterns("publish") ?? everything, subscribe: try patterns("subscribe") ?? everything)
    }

    func account(for uid: ByteBuffer) -> Account? {
        accounts.first { account in account.uids.contains { $0.fits(uid.readableBytesView) } }
    }

    /// Whether a client is let in.
    public func decide(_ request: SMQConnectRequest, crypto: any Crypto) -> SMQConnectDecision {
        guard let account = account(for: request.uid) else { return .refuse(.denied, "no account for this unique id") }
        guard let password = account.password else { return .accept }
        let seed = withUnsafeBytes(of: request.seed.littleEndian) { Array($0) }
        guard let digest = try? crypto.sha1(password + seed) else {
            return .refuse(.unavailable, "credentials cannot be checked now")
        }
        let given = Array(request.credentials.readableBytesView)
        let digits = Array("0123456789abcdef".utf8)
        let text = digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }  // safe: four bits each
        // Both comparisons, and each to its end: the time tells nothing about the digest.
        let isRight = given.equalsSecretly(digest) || given.equalsSecretly(text)
        return isRight ? .accept : .refuse(.badCredentials, "wrong password")
    }

    /// Whether a client may use a name. Sub-topics are everybody's: they mean something only together with a topic.
    public func permits(_ request: SMQTopicRequest) -> Bool {
        guard let account = account(for: request.uid) else { return false }
        switch request.operation {
        case .create: return account.publish.contains { $0.fits(request.name.utf8) }
        case .subscribe: return account.subscribe.contains { $0.fits(request.name.utf8) }
        case .createSubtopic: return true
        }
    }
}
