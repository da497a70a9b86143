import CNetShim
import DeviceCore

/// Why a connection is not secure, in words that say what to do.
struct TLSFailure {
    /// Which end this is.
    enum Side: Sendable {
        /// Of a connection to that name and port.
        case client(authority: String, name: String, TLSClientConfiguration)
        /// For a client at that address.
        case server(client: String, TLSServerConfiguration)
    }

    let side: Side

    /// The other end, as the beginning of a sentence.
    private var peer: String {
        switch side {
        case .client(let authority, _, _): authority
        case .server(let client, _): "the client \(client)"
        }
    }

    private var isServer: Bool { if case .server = side { true } else { false } }

    /// What is wrong with the name of a client whose certificate is good.
    func strangeName(_ connection: TLSConnection) -> DeviceError? {
        guard case .server(_, let configuration) = side, !configuration.clientNames.isEmpty,
            !configuration.clientNames.contains(where: connection.peerFits)
        else { return nil }
        let names = connection.certificate(CNET_TLS_PEER, CNET_TLS_NAMES)
        return DeviceError(
            .certificate,
            "\(peer)'s certificate (\(connection.certificate(CNET_TLS_PEER, CNET_TLS_SUBJECT) ?? "?")) is for "
                + "\(names.map { "the names \($0)" } ?? "no name"), none of which is expected here",
            hint: "Expected: \(configuration.clientNames.prefix(8).joined(separator: ", "))")
    }

    // MARK: What OpenSSL found

    /// The error of a step that failed.
    func error(_ connection: TLSConnection) -> DeviceError {
        let problem = connection.problem
        let words = String(cString: problem.text)
        switch problem.reason {
        case CNET_TLS_BAD_CERTIFICATE: return certificate(connection, problem.trouble, words)
        case CNET_TLS_NO_CERTIFICATE:
            return DeviceError(
                .refused, "\(peer) has shown no certificate, which is required here",
                hint: "Give the client a certificate (--tls-certificate, --tls-key)")
        case CNET_TLS_ALERT: return alert(connection, problem.alert, words)
        case CNET_TLS_NOT_TLS: return notTLS
        case CNET_TLS_VERSION: return version
        case CNET_TLS_NO_CIPHER:
            return DeviceError(
                .unsupported, "\(peer) has no cipher in common with this end",
                hint: "Check the cipher settings of both ends (openssl.cnf)")
        case CNET_TLS_NO_ALPN: return noProtocol
        case CNET_TLS_NO_MEMORY: return DeviceError(.limitExceeded, "there is no memory for TLS with \(peer)")
        default: return DeviceError(.protocolViolation, "TLS with \(peer) failed: \(words)")
        }
    }

    private func certificate(
        _ connection: TLSConnection, _ trouble: cnet_tls_trouble, _ words: String
    ) -> DeviceError {
        func text(_ owner: cnet_tls_owner, _ field: cnet_tls_field) -> String {
            connection.certificate(owner, field) ?? "?"
        }
        let owner = isServer ? "\(peer)'s certificate" : "the certificate of \(peer)"
        let subject = text(CNET_TLS_CULPRIT, CNET_TLS_SUBJECT)
        let issuer = text(CNET_TLS_CULPRIT, CNET_TLS_ISSUER)
        // An intermediate or a root can be the one that has expired.
        let isLeaf = subject == text(CNET_TLS_PEER, CNET_TLS_SUBJECT)
        let place = isLeaf ? "\(owner) (\(subject))" : "\(subject), in the chain of \(owner),"
        switch trouble {
        case CNET_TLS_TROUBLE_EXPIRED:
            return DeviceError(
                .certificate, "\(place) has expired on \(text(CNET_TLS_CULPRIT, CNET_TLS_NOT_AFTER))",
                hint: "Renew it, or check this machine's clock")
        case CNET_TLS_TROUBLE_EARLY:
            return DeviceError(
                .certificate, "\(place) is not valid before \(text(CNET_TLS_CULPRIT, CNET_TLS_NOT_BEFORE))",
                hint: "Check this machine's clock; a board without a battery needs the time from the network first")
        case CNET_TLS_TROUBLE_NAME:
            let names = connection.certificate(CNET_TLS_PEER, CNET_TLS_NAMES)
            guard case .client(_, let name, _) = side else { break }
            return DeviceError(
                .certificate,
                "\(owner) (\(subject)) is for "
                    + "\(names.map { "the names \($0)" } ?? "no name (it has no subjectAltName)"), not for \(name)",
                hint: "Use a name that is in it, or make one with a subjectAltName for \(name)")
        case CNET_TLS_TROUBLE_SELF_SIGNED:
            return DeviceError(
                .certificate, "\(owner) (\(subject)) is signed by itself and not trusted", hint: trustHint("it"))
        case CNET_TLS_TROUBLE_UNKNOWN_CA:
            return DeviceError(
                .certificate, "\(place) is signed by \(issuer), which is not trusted here",
                hint: trustHint("that authority's certificate"))
        case CNET_TLS_TROUBLE_PURPOSE:
            return DeviceError(
                .certificate, "\(place) is not made for a \(isServer ? "client" : "server")",
                hint: "Its extendedKeyUsage must have \(isServer ? "clientAuth" : "serverAuth")")
        default: break
        }
        return DeviceError(.certificate, "\(place) is not accepted: \(words)")
    }

    private func trustHint(_ what: String) -> String {
        isServer
            ? "If the client is yours, put \(what) in the file of --tls-client-ca (clientCertificate)"
            : "If you trust the server, put \(what) in a file and name it with --tls-ca (trustRoots); a missing "
                + "intermediate certificate belongs in the server's file"
    }

    /// The peer's refusal (RFC 8446, section 6.2).
    private func alert(_ connection: TLSConnection, _ alert: Int32, _ words: String) -> DeviceError {
        let own = connection.certificate(CNET_TLS_OWN, CNET_TLS_SUBJECT)
        switch alert {
        case 70: return version
        case 120: return noProtocol
        case 112:
            return DeviceError(
                .refused, "\(peer) has no certificate for that name", hint: "Check the name in the address")
        case 116: return missing
        // What servers of TLS 1.2 say to a client without a certificate, and to one without a common cipher.
        case 40 where !isServer && own == nil:
            return DeviceError(
                .refused, "\(peer) broke the handshake off (\(words)): perhaps it requires a client certificate",
                hint: "Give this client a certificate (--tls-certificate, --tls-key), or check the server's log")
        case 42...46, 48, 49, 51:
            let subject = own.map { " (\($0))" } ?? ""
            if isServer {
                return DeviceError(
                    .refused, "\(peer) does not accept this server's certificate\(subject): \(words)",
                    hint: "The client has to trust its authority, and to use a name that is in it")
            }
            return own == nil
                ? missing
                : DeviceError(
                    .refused, "\(peer) does not accept this client's certificate\(subject): \(words)",
                    hint: "The server has to trust the authority that signed it (--tls-client-ca)")
        default: return DeviceError(.refused, "\(peer) broke TLS off: \(words)")
        }
    }

    private var missing: DeviceError {
        DeviceError(
            .refused, "\(peer) requires a client certificate",
            hint: "Give this client a certificate that the server accepts (--tls-certificate, --tls-key)")
    }

    private var version: DeviceError {
        DeviceError(
            .unsupported, "\(peer) speaks no version of TLS in common with this end, which speaks \(versions)",
            hint: "Update the older end")
    }

    private var versions: String {
        let minimum =
            switch side {
            case .client(_, _, let configuration): configuration.minimumVersion
            case .server(_, let configuration): configuration.minimumVersion
            }
        return minimum == .tls13 ? "TLS 1.3" : "TLS 1.2 and 1.3"
    }

    private var noProtocol: DeviceError {
        let own =
            switch side {
            case .client(_, _, let configuration): configuration.applicationProtocols
            case .server(_, let configuration): configuration.applicationProtocols
            }
        return DeviceError(
            .unsupported, "\(peer) has no protocol in common with this end (ALPN: \(own.joined(separator: ", ")))",
            hint: "Check that the address and the port are those of a SMQ broker")
    }

    // MARK: What the handler found

    /// The first bytes are not TLS.
    func plainText(_ first: ByteBufferPrefix) -> DeviceError {
        if isServer {
            return DeviceError(
                .protocolViolation,
                "\(peer) speaks plain \(first.isRequest ? "HTTP or SMQ" : "text") to a port for TLS",
                hint: "Use https://, wss:// or smqs:// in the client's address")
        }
        return notTLS
    }

    private var notTLS: DeviceError {
        DeviceError(
            .protocolViolation, "\(peer) does not speak TLS",
            hint: isServer
                ? "Use https://, wss:// or smqs:// in the client's address"
                : "Check the port; without TLS the address begins with smq:// or ws://")
    }

    func timedOut(_ timeout: Duration) -> DeviceError {
        DeviceError(
            .timedOut, "\(peer) did not finish the TLS handshake within \(timeout)",
            hint: isServer ? nil : "Check that this port speaks TLS, and that the server is not overloaded")
    }

    var closed: DeviceError {
        DeviceError(
            .closed, "\(peer) closed the connection during the TLS handshake",
            hint: isServer ? nil : "Check that this port speaks TLS; the server's log may say more")
    }
}

/// The beginning of what a peer sent.
struct ByteBufferPrefix {
    let bytes: [UInt8]

    /// A record of TLS begins with its type: 22 handshake, 21 alert (RFC 8446, section 5.1). 128 is the old form of a
    /// hello, which OpenSSL refuses in its own words.
    var isTLS: Bool { bytes.first.map { [0x16, 0x15, 0x80].contains($0) } ?? true }
    /// Whether it may be a HTTP request.
    var isRequest: Bool { bytes.first.map { (0x41...0x5A).contains($0) } ?? false }
}
