import CNetShim
import DeviceCore

/// OpenSSL's settings for connections, read from the files once.
///
/// @unchecked Sendable because OpenSSL lets threads share a context that nobody changes any more, and only `init`
/// changes it.
final class TLSContextHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    /// The end that a context is for.
    enum Role: Sendable {
        case client(TLSClientConfiguration)
        case server(TLSServerConfiguration)

        var identity: TLSIdentity? {
            switch self {
            case .client(let client): client.identity
            case .server(let server): server.identity
            }
        }
        /// The files whose change makes a new context.
        var paths: [String] {
            switch self {
            case .client(let client): client.trustRoots.paths + (client.identity?.paths ?? [])
            case .server(let server): (server.clientCertificate.roots?.paths ?? []) + server.identity.paths
            }
        }
    }

    /// Reads the files. Throws `configuration` with the file that is wrong.
    init(_ role: Role) throws(DeviceError) {
        let (isServer, minimum) =
            switch role {
            case .client(let client): (false, client.minimumVersion)
            case .server(let server): (true, server.minimumVersion)
            }
        guard let pointer = cnet_tls_context_new(isServer ? 1 : 0, Int32(minimum.rawValue)) else {
            throw DeviceError(
                .configuration, "OpenSSL does not start: \(Self.errors())", hint: "Check its file openssl.cnf")
        }
        self.pointer = pointer
        if let identity = role.identity { try use(identity) }
        switch role {
        case .client(let client):
            cnet_tls_context_verify(pointer, client.acceptsEveryCertificateForTestsOnly ? 0 : 1, 1)
            try trust(client.trustRoots)
            try use(client.applicationProtocols)
        case .server(let server):
            if let roots = server.clientCertificate.roots {
                cnet_tls_context_verify(pointer, 1, server.clientCertificate.isRequired ? 1 : 0)
                try trust(roots)
                if roots != .system,
                    cnet_tls_context_name_client_roots(pointer, roots.file, roots.directory) != 1
                {
                    throw Self.unreadable("the certificate authorities", roots.paths.first ?? "")
                }
            }
            try use(server.applicationProtocols)
        }
    }

    /// From PEM in memory; see ``TLSStreamContext``.
    init(
        isServer: Bool, roots: [[UInt8]]?, identity: (chain: [UInt8], key: [UInt8])?
    ) throws(DeviceError) {
        guard let pointer = cnet_tls_context_new(isServer ? 1 : 0, Int32(TLSVersion.tls12.rawValue)) else {
            throw DeviceError(
                .configuration, "OpenSSL does not start: \(Self.errors())", hint: "Check its file openssl.cnf")
        }
        self.pointer = pointer
        if let (chain, key) = identity {
            guard cnet_tls_context_use_text(pointer, chain, chain.count, key, key.count) == 1 else {
                throw DeviceError(.configuration, "the certificate and the key cannot be used: \(Self.errors())")
            }
        }
        // A server without roots asks for no certificate.
        guard !isServer || roots != nil else { return }
        cnet_tls_context_verify(pointer, 1, 1)
        guard let roots else {
            try trust(.system)
            return
        }
        for text in roots where cnet_tls_context_trust_text(pointer, text, text.count) != 1 {
            throw DeviceError(.configuration, "a trusted certificate is not one in PEM")
        }
    }

    deinit { cnet_tls_context_free(pointer) }

    private func trust(_ roots: TLSTrustRoots) throws(DeviceError) {
        switch roots {
        case .system:
            guard cnet_tls_context_trust_system(pointer) == 1 else {
                throw Self.unreadable("the system's certificate authorities", "")
            }
        case .file(let path):
            guard cnet_tls_context_trust(pointer, path, nil) == 1 else {
                throw Self.unreadable("the certificate authorities", path)
            }
        case .directory(let path):
            guard FileIdentity(path) != nil, cnet_tls_context_trust(pointer, nil, path) == 1 else {
                throw Self.unreadable("the certificate authorities", path)
            }
        }
    }

    private func use(_ identity: TLSIdentity) throws(DeviceError) {
        guard cnet_tls_context_use_chain(pointer, identity.certificateFile) == 1 else {
            throw Self.unreadable("the certificate", identity.certificateFile)
        }
        guard cnet_tls_context_use_key(pointer, identity.key, identity.isKeyURI ? 1 : 0) == 1 else {
            let reason = Self.errors()
            throw DeviceError(
                .configuration, "the key \(identity.keyPlace) cannot be used: \(reason)",
                hint: "It must be the key of \(identity.certificateFile), in PEM, without a password, and readable by "
                    + "this user")
        }
    }

    private func use(_ protocols: [String]) throws(DeviceError) {
        guard !protocols.isEmpty else { return }
        var names: [UInt8] = []
        for name in protocols {
            guard let count = UInt8(exactly: name.utf8.count), count > 0 else {
                throw DeviceError(.configuration, "\"\(name.prefix(50))\" is no name of a protocol (1 to 255 bytes)")
            }
            names.append(count)
            names += name.utf8
        }
        guard cnet_tls_context_use_alpn(pointer, names, names.count) == 1 else {
            throw DeviceError(.configuration, "OpenSSL refuses the list of protocols: \(Self.errors())")
        }
    }

    private static func unreadable(_ what: String, _ path: String) -> DeviceError {
        let reason = errors()
        return DeviceError(
            .configuration, "\(what)\(path.isEmpty ? "" : " in \(path)") cannot be read: \(reason)",
            hint: "It must be there, in PEM (-----BEGIN CERTIFICATE-----), and readable by this user")
    }

    private static func errors() -> String {
        var text = [CChar](repeating: 0, count: 300)
        let count = cnet_tls_take_errors(&text, text.count)
        guard count > 0 else { return "no such file or directory" }
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self).printable
    }
}
