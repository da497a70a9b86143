import CNetShim

/// `ba.crypto`: hashes, ciphers, derived keys and signatures, by OpenSSL.
enum LuaCrypto {
    static let library = LuaLibrary(
        "crypto",
        members: [
            "hash": .function(LuaHash.make),
            "symmetric": .function(LuaCipher.make),
            "PBKDF2": .function(derive),
            "sign": .function(sign),
            "verify": .function(verify),
            "sigparams": .function(signatureNumbers),
            "keyparams": .function(keyNumbers),
        ])

    private static let hashes = ["sha1", "sha224", "sha256", "sha384", "sha512"]
    /// More iterations run on a thread for blocking calls: this many take about two milliseconds.
    private static let quickIterations = 2000
    private static let maximumKey = 64 << 10

    /// `ba.crypto.PBKDF2(hash, password, salt, iterations, length)`
    private static let derive: LuaBody = { call in
        let hash = try call.string(0)
        guard hashes.contains(hash) else {
            throw LuaError(argument: 0, "one of \(hashes.joined(separator: ", ")) is expected")
        }
        let (password, salt) = (try call.bytes(1), try call.bytes(2))
        let iterations = try call.integer(3, in: 1...1_000_000, "the number of iterations")
        let count = try call.integer(4, in: 1...1024, "the length")
        let work: @Sendable () throws -> [LuaValue] = {
            var key = [UInt8](repeating: 0, count: count)
            guard
                cnet_pbkdf2(
                    hash, password, password.count, salt, salt.count, Int32(iterations), &key, count) == 0
            else { throw LuaError("OpenSSL refuses \(hash)") }
            return [.bytes(key)]
        }
        guard iterations * ((count + 19) / 20) > quickIterations else { return .values(try work()) }
        return try call.inBackground(work)
    }

    // MARK: Signatures

    /// What a signature is made or checked with.
    private struct Scheme {
        let hash: String
        let padding: cnet_padding

        /// - Parameter index: of the table `{padding="pkcs1" | "pss", hashid="sha256"}`, which may be missing; then the
        ///   hash is told by its length.
        init(_ call: LuaCall, _ index: Int, digest: [UInt8]) throws {
            let options = call.isTable(index) ? try call.table(index) : LuaTable()
            if let name = options["hashid"].text ?? options["hash"].text {
                hash = name
            } else {
                let sizes = [20: "sha1", 28: "sha224", 32: "sha256", 48: "sha384", 64: "sha512"]
                guard let name = sizes[digest.count] else {
                    throw LuaError("\(digest.count) bytes are no hash: sign the result of ba.crypto.hash")
                }
                hash = name
            }
            guard hashes.contains(hash) else { throw LuaError("no such hash: \(hash)") }
            switch options["padding"].text {
            case nil, "pkcs1": padding = CNET_PKCS1
            case "pss": padding = CNET_PSS
            case let name?: throw LuaError("no such padding for signatures: \(name)")
            }
        }
    }

    private static func pem(_ call: LuaCall, _ index: Int) throws -> [UInt8] {
        let bytes = try call.bytes(index)
        guard bytes.count <= maximumKey else { throw LuaError(argument: index, "this is too long for a key") }
        return bytes
    }

    /// `ba.crypto.sign(hash, key [, options])` gives a signature: of RSA, or of ECDSA in DER.
    private static let sign: LuaBody = { call in
        let digest = try call.bytes(0)
        let key = try pem(call, 1)
        let scheme = try Scheme(call, 2, digest: digest)
        var signature = [UInt8](repeating: 0, count: CNET_NUMBER_SIZE)
        let count = cnet_sign(
            key, key.count, scheme.hash, scheme.padding, digest, digest.count, &signature, signature.count)
        guard count > 0 else { return .failure("this is no private key in PEM, or not one for such a signature") }
        return .value(.bytes(Array(signature.prefix(Int(count)))))
    }

    /// `ba.crypto.verify(signature, key, hash [, options])` with a key or certificate in PEM, or
    /// `ba.crypto.verify(signature, hash, {x=, y=} or {n=, e=} [, options])`.
    private static let verify: LuaBody = { call in
        let signature = try call.bytes(0)
        let status: Int32
        if call.isTable(2), !isKey(call, 1) {
            let digest = try call.bytes(1)
            let table = try call.table(2)
            var numbers = try numbers(table)
            let scheme = try Scheme(call, call.isTable(3) ? 3 : 2, digest: digest)
            status = cnet_verify(
                nil, 0, &numbers, scheme.hash, scheme.padding, digest, digest.count, signature, signature.count)
        } else {
            let key = try pem(call, 1)
            let digest = try call.bytes(2)
            let scheme = try Scheme(call, 3, digest: digest)
            status = cnet_verify(
                key, key.count, nil, scheme.hash, scheme.padding, digest, digest.count, signature, signature.count)
        }
        guard status >= 0 else { return .failure("this is no key that signatures are checked with") }
        return .value(.boolean(status == 1))
    }

    private static func isKey(_ call: LuaCall, _ index: Int) -> Bool {
        (try? call.withBytes(index) { $0.starts(with: "-----BEGIN ".utf8) }) ?? false
    }

    private static func numbers(_ table: LuaTable) throws -> cnet_key_numbers {
        var numbers = cnet_key_numbers()
        let isRSA = !table["n"].isNil
        numbers.is_rsa = isRSA ? 1 : 0
        guard case .bytes(let first) = table[isRSA ? "n" : "x"], case .bytes(let second) = table[isRSA ? "e" : "y"],
            max(first.count, second.count) <= (isRSA ? Int(CNET_NUMBER_SIZE) : 66)
        else { throw LuaError("a key is {x=, y=} or {n=, e=}, strings of bytes") }
        withUnsafeMutableBytes(of: &numbers.first) { $0.copyBytes(from: first) }
        withUnsafeMutableBytes(of: &numbers.second) { $0.copyBytes(from: second) }
        (numbers.first_count, numbers.second_count) = (first.count, second.count)
        return numbers
    }

    /// `ba.crypto.keyparams(key)` gives x and y of an elliptic curve's key, n and e of RSA.
    private static let keyNumbers: LuaBody = { call in
        let key = try pem(call, 0)
        var numbers = cnet_key_numbers()
        guard cnet_key_numbers_of(key, key.count, &numbers) == 0 else { return .failure("this is no key in PEM") }
        let first = withUnsafeBytes(of: &numbers.first) { Array($0.prefix(numbers.first_count)) }
        let second = withUnsafeBytes(of: &numbers.second) { Array($0.prefix(numbers.second_count)) }
        return .values([.bytes(first), .bytes(second)])
    }

    /// `ba.crypto.sigparams(signature)` gives the numbers r and s of ECDSA, `ba.crypto.sigparams(r, s)` the signature.
    private static let signatureNumbers: LuaBody = { call in
        let first = try call.bytes(0)
        guard first.count <= Int(CNET_NUMBER_SIZE) else { return .failure("this is no ECDSA signature") }
        if call.isNil(1) {
            var numbers = [UInt8](repeating: 0, count: 2 * 66)
            let size = Int(cnet_ecdsa_split(first, first.count, &numbers, 66))
            guard size > 0 else { return .failure("this is no ECDSA signature") }
            return .values([
                .bytes(Array(numbers.prefix(size))), .bytes(Array(numbers.dropFirst(size).prefix(size))),
            ])
        }
        let second = try call.bytes(1)
        var signature = [UInt8](repeating: 0, count: 160)
        guard (1...66).contains(first.count), (1...66).contains(second.count) else {
            return .failure("r and s have 1 to 66 bytes")
        }
        let count = cnet_ecdsa_join(first, first.count, second, second.count, &signature, signature.count)
        guard count > 0 else { return .failure("OpenSSL refuses these numbers") }
        return .value(.bytes(Array(signature.prefix(Int(count)))))
    }

    // MARK: ba.create.key

    /// `ba.create.key([{key="ecc" | "rsa", bits=2048, curve="SECP256R1"}])` gives a private key in PEM.
    static let makeKey: LuaBody = { call in
        let options = call.isTable(0) ? try call.table(0) : LuaTable()
        if !options["rnd"].isNil { throw LuaError("Invalidarg rnd: a key from given bytes is not supported") }
        let bits: Int32
        let curve: String
        switch options["key"].text ?? "ecc" {
        case "rsa":
            let wanted = options["bits"].wholeNumber ?? 2048
            guard (2048...3072).contains(wanted) else { throw LuaError("Invalidarg bits: 2048 to 3072 are expected") }
            (bits, curve) = (Int32(wanted), "")
        case "ecc":
            let name = options["curve"].text ?? "SECP256R1"
            let curves = ["SECP256R1": "P-256", "SECP384R1": "P-384", "SECP521R1": "P-521"]
            guard let known = curves[name] else {
                throw LuaError("Invalidarg curve: one of \(curves.keys.sorted().joined(separator: ", ")) is expected")
            }
            (bits, curve) = (0, known)
        case let name: throw LuaError("Invalidarg key: ecc or rsa is expected, not \(name)")
        }
        // A key of RSA takes a second of searching.
        return try call.inBackground {
            var text = [CChar](repeating: 0, count: 8192)
            let count = cnet_key_new(bits, curve, &text, text.count)
            guard count > 0 else { throw LuaError("OpenSSL refuses to make a key") }
            return [.bytes(text.prefix(Int(count)).map { UInt8(bitPattern: $0) })]
        }
    }
}
