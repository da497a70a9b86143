import DeviceCore
import Glibc

/// Certificates for tests, made by the `openssl` program in a directory that ends with the process.
///
/// `ca` has signed `intermediate`, which has signed all others unless they say otherwise; `foreign` is an authority
/// that nobody trusts.
public final class TestCertificates: Sendable {
    /// A certificate with the intermediate one behind it, and its key.
    public struct Pair: Sendable {
        /// The PEM file.
        public var certificate: String
        /// The PEM file of the key.
        public var key: String
    }

    /// The directory.
    public let directory: String
    private let lock = Locked(())

    /// Made at the first use.
    public static let shared = Result { try TestCertificates() }

    private init() throws {
        var path = Array("/tmp/devicesdk-tls-XXXXXX".utf8CString)
        guard mkdtemp(&path) != nil else { throw Late(description: "no temporary directory") }
        directory = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        directoryToRemove.withLock { $0 = directory }
        atexit {
            guard let directory = directoryToRemove.withLock({ $0 }) else { return }
            for name in SystemFile.names(in: directory) { unlink("\(directory)/\(name)") }
            rmdir(directory)
        }
        try Self.write("", to: "\(directory)/index.txt")
        try Self.write("unique_subject = no\n", to: "\(directory)/index.txt.attr")
        try Self.write(
            """
            [ca]
            default_ca = test
            [test]
            database = \(directory)/index.txt
            new_certs_dir = \(directory)
            rand_serial = yes
            default_md = sha256
            policy = policy
            [policy]
            commonName = supplied
            [req]
            distinguished_name = name
            [name]
            """, to: "\(directory)/ca.cnf")
        let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"
        try make("ca", "Test Root", authority, issuer: nil)
        try make("foreign", "Foreign Root", authority, issuer: nil)
        try make("intermediate", "Test Intermediate", authority, issuer: "ca")
        _ = try server("server", "DNS:cluster.test,DNS:localhost,IP:127.0.0.1,IP:::1")
        _ = try server("wrong", "DNS:other.test,DNS:*.wild.test,IP:10.1.2.3")
        _ = try server("expired", "DNS:cluster.test", days: "20200101000000Z", "20210101000000Z")
        _ = try server("early", "DNS:cluster.test", days: "20480101000000Z", "20490101000000Z")
        _ = try server("nameless", nil)
        _ = try server("stranger", "DNS:cluster.test", issuer: "foreign")
        _ = try server("selfsigned", "DNS:cluster.test", issuer: nil)
        _ = try client("client")
        _ = try client("clientstranger", issuer: "foreign")
    }

    /// The file of a certificate, or of several.
    public func path(_ name: String) -> String { "\(directory)/\(name).pem" }

    /// A pair that exists.
    public func pair(_ name: String) -> Pair { Pair(certificate: path(name), key: "\(directory)/\(name).key") }

    /// A new server's certificate; its subject is `CN=name`.
    public func server(
        _ name: String, _ names: String?, issuer: String? = "intermediate",
        days start: String = "20200101000000Z", _ end: String = "20490101000000Z"
    ) throws -> Pair {
        let extensions =
            "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n" + (names.map { "subjectAltName=\($0)\n" } ?? "")
        try make(name, name, extensions, issuer: issuer, start, end)
        return pair(name)
    }

    /// A new certificate of a node, which is server and client.
    public func node(_ name: String, _ names: String, issuer: String = "intermediate") throws -> Pair {
        try make(
            name, name, "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=\(names)\n",
            issuer: issuer)
        return pair(name)
    }

    /// A new client's certificate.
    public func client(_ name: String, issuer: String = "intermediate") throws -> Pair {
        try make(name, name, "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n", issuer: issuer)
        return pair(name)
    }

    private func make(
        _ name: String, _ subject: String, _ extensions: String, issuer: String?, _ start: String = "20200101000000Z",
        _ end: String = "20490101000000Z"
    ) throws {
        // One at a time, because of the authority's list.
        try lock.withLock { _ in
            let key = "\(directory)/\(name).key"
            let request = "\(directory)/\(name).csr"
            let file = "\(directory)/\(name).ext"
            try Self.write(extensions, to: file)
            try ChildProgram.run([
                "openssl", "req", "-config", "\(directory)/ca.cnf", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=\(subject)",
            ])
            let signer =
                issuer.map { ["-cert", "\(directory)/\($0).one", "-keyfile", "\(directory)/\($0).key"] }
                ?? ["-selfsign", "-keyfile", key]
            let one = "\(directory)/\(name).one"
            try ChildProgram.run(
                [
                    "openssl", "ca", "-batch", "-notext", "-config", "\(directory)/ca.cnf", "-in", request, "-out", one,
                    "-startdate", start, "-enddate", end, "-extfile", file,
                ] + signer)
            // What a server or a client needs: the certificate, then those between it and the root.
            var chain = try SystemFile.text(one) + "\n"
            if issuer == "intermediate" { chain += try SystemFile.text("\(directory)/intermediate.one") + "\n" }
            try Self.write(chain, to: path(name))
        }
    }

    /// Replaces a file as a careful program does: all at once.
    public static func write(_ text: String, to path: String) throws {
        let new = path + ".new"
        let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Late(description: "cannot write \(path)") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count, rename(new, path) == 0 else {
            throw Late(description: "cannot write \(path)")
        }
    }

    /// Copies a file over another one, all at once.
    public static func replace(_ path: String, by other: String) throws {
        try write(try SystemFile.text(other) + "\n", to: path)
    }
}

private let directoryToRemove = Locked<String?>(nil)
