public import DeviceCore

/// Which certificate authorities are trusted.
public enum TLSTrustRoots: Hashable, Sendable {
    /// Those of the system (on Debian the package ca-certificates).
    case system
    /// Those in a PEM file; a peer's own self-signed certificate may be one of them.
    case file(String)
    /// Those in a directory that `openssl rehash` has prepared.
    case directory(String)

    var file: String? { if case .file(let path) = self { path } else { nil } }
    var directory: String? { if case .directory(let path) = self { path } else { nil } }
    /// What has to be looked at to notice a change.
    var paths: [String] { [file, directory].compactMap { $0 } }
}

/// A certificate and its private key, which are read again when their files change.
public struct TLSIdentity: Hashable, Sendable {
    /// A PEM file: the certificate, then the intermediate ones up to the root, which may be left out.
    public var certificateFile: String
    /// A PEM file without a password, or the URI of a key that an OpenSSL provider holds (`pkcs11:…`).
    public var key: String

    /// Names both.
    public init(certificateFile: String, key: String) {
        self.certificateFile = certificateFile
        self.key = key
    }

    /// Whether the key is a URI: a scheme of two letters or more and a colon, without a slash before it.
    var isKeyURI: Bool {
        guard let colon = key.firstIndex(of: ":"), key.distance(from: key.startIndex, to: colon) > 1 else {
            return false
        }
        return key[..<colon].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
    }

    /// The key's place without what could be a secret (a PIN stands behind a semicolon or question mark).
    var keyPlace: String { isKeyURI ? String(key.prefix { $0 != ";" && $0 != "?" }) : key }
    /// What has to be looked at to notice a change.
    var paths: [String] { isKeyURI ? [certificateFile] : [certificateFile, key] }
}

/// The oldest version of TLS that is spoken.
public enum TLSVersion: Int, Hashable, Sendable {
    /// TLS 1.2, RFC 5246.
    case tls12 = 12
    /// TLS 1.3, RFC 8446.
    case tls13 = 13
}

/// How a client secures its connections.
public struct TLSClientConfiguration: Hashable, Sendable {
    /// Who may have signed the servers' certificates.
    public var trustRoots = TLSTrustRoots.system
    /// What the client shows to servers that ask for a certificate.
    public var identity: TLSIdentity?
    /// The oldest version that is spoken.
    public var minimumVersion = TLSVersion.tls12
    /// The protocols above TLS that are offered (ALPN, RFC 7301), best first. Raw SMQ begins with a HTTP request, and
    /// so does a WebSocket: `http/1.1` is right for all of them. Empty: none is named.
    public var applicationProtocols = ["http/1.1"]
    /// FOR TESTS ONLY: takes every certificate, so that anybody on the way can read and change everything.
    public var acceptsEveryCertificateForTestsOnly = false

    /// Trust in the system's authorities, and no certificate of its own.
    public init(trustRoots: TLSTrustRoots = .system, identity: TLSIdentity? = nil) {
        self.trustRoots = trustRoots
        self.identity = identity
    }
}

/// How a server secures its connections.
public struct TLSServerConfiguration: Hashable, Sendable {
    /// Whether clients show a certificate.
    public enum ClientCertificate: Hashable, Sendable {
        /// They are not asked.
        case none
        /// They are asked; who shows one must show one that these have signed.
        case optional(TLSTrustRoots)
        /// Only those with a certificate that these have signed are let in.
        case required(TLSTrustRoots)

        var roots: TLSTrustRoots? {
            switch self {
            case .none: nil
            case .optional(let roots), .required(let roots): roots
            }
        }
        var isRequired: Bool { if case .required = self { true } else { false } }
    }

    /// What the server shows.
    public var identity: TLSIdentity
    /// What clients have to show.
    public var clientCertificate = ClientCertificate.none
    /// Names and addresses of the clients: a client's certificate must be for one of them. Empty for any.
    public var clientNames: [String] = []
    /// The oldest version that is spoken.
    public var minimumVersion = TLSVersion.tls12
    /// The protocols above TLS, best first. A client that names others only is refused; who names none is not.
    public var applicationProtocols = ["http/1.1"]

    /// A server with that certificate.
    public init(identity: TLSIdentity, clientCertificate: ClientCertificate = .none) {
        self.identity = identity
        self.clientCertificate = clientCertificate
    }
}

extension TLSServerConfiguration {
    /// From a command line's `--tls-certificate`, `--tls-key` and `--tls-client-ca`; nil when none of them is given.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` when one is there without the other.
    public init?(certificate: String?, key: String?, clientAuthorities: String?) throws(DeviceError) {
        guard let identity = try TLSIdentity(certificate: certificate, key: key) else {
            guard clientAuthorities == nil else {
                throw DeviceError(
                    .invalidArgument, "--tls-client-ca needs a server that speaks TLS",
                    hint: "Add --tls-certificate FILE --tls-key FILE")
            }
            return nil
        }
        self.init(identity: identity, clientCertificate: clientAuthorities.map { .required(.file($0)) } ?? .none)
    }
}

extension TLSIdentity {
    /// From a command line's `--tls-certificate` and `--tls-key`; nil when neither is given.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` when one is there without the other.
    public init?(certificate: String?, key: String?) throws(DeviceError) {
        switch (certificate, key) {
        case (nil, nil): return nil
        case (let certificate?, let key?): self.init(certificateFile: certificate, key: key)
        default:
            throw DeviceError(
                .invalidArgument, "--tls-certificate and --tls-key belong together", hint: "Give both or none")
        }
    }
}
