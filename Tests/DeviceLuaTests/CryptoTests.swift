import DeviceCore
import TestSupport
import Testing

@testable import DeviceLua

/// `ba.crypto` against published vectors, and the reverse of everything.
@Suite struct CryptoTests {
    /// Hexadecimal digits to bytes and back, for scripts.
    private static let helpers = """
        function hex(s) return (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)) end
        function raw(s) return (s:gsub("%x%x", function(d) return string.char(tonumber(d, 16)) end)) end
        """

    private func evaluate(_ expression: String, _ script: String = "") async throws -> String {
        let rig = try ScriptRig(.text(Self.helpers + "\n" + script, name: "main.xlua"), manual: false)
        defer { Task { await rig.stop() } }
        await rig.app.settle()
        return try await rig.app.evaluate(expression)
    }

    @Test(arguments: [
        // RFC 6070; NIST SP 800-38A, F.2.1; the GCM specification's test case 4.
        (
            "hex(ba.crypto.PBKDF2('sha1', 'password', 'salt', 2, 20))", "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"
        ),
        (
            "hex(ba.crypto.PBKDF2('sha1', 'password', 'salt', 4096, 20))", "4b007901b765489abead49d926f721d065a429c1"
        ),
        (
            "hex(ba.crypto.symmetric('CBC', raw'2b7e151628aed2a6abf7158809cf4f3c', raw'000102030405060708090a0b0c0d0e0f'):encrypt(raw'6bc1bee22e409f96e93d7e117393172a'))",
            "7649abac8119b246cee98e9b12e9197d"
        ),
        (
            "(function() local c = ba.crypto.symmetric('GCM', raw'feffe9928665731c6d6a8f9467308308', raw'cafebabefacedbaddecaf888') c:setauth(raw'feedfacedeadbeeffeedfacedeadbeefabaddad2') local t, tag = c:encrypt(raw'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39') return hex(t):sub(1, 32), hex(tag) end)()",
            "42831ec2217774244b7221b784d0d49c\t5bc94fbc3221a5db94fae95ae7121a47"
        ),
    ])
    func publishedVectors(_ expression: String, _ expected: String) async throws {
        #expect(try await evaluate(expression) == expected)
    }

    @Test func whatIsEncipheredIsDecipheredAndNothingElse() async throws {
        let script = """
            key, iv = ba.rndbs(32), ba.rndbs(12)
            local function new() local c = ba.crypto.symmetric("GCM", key, iv) c:setauth("about") return c end
            a, b = new(), new()
            one, onetag = a:encrypt("first", "PKCS7")
            two, twotag = a:encrypt("first", "PKCS7")
            """
        #expect(
            try await evaluate(
                "#one, one ~= two, b:decrypt(one, onetag, 'PKCS7'), b:decrypt(two, twotag, 'PKCS7')", script)
                == "16\ttrue\tfirst\tfirst")
        #expect(try await evaluate("(b:decrypt(two, twotag))", script) == "nil", "in another order")
        #expect(try await evaluate("(b:decrypt(one, twotag))", script) == "nil", "with another tag")
        #expect(
            try await evaluate("(ba.crypto.symmetric('GCM', key, iv):decrypt(one, onetag))", script) == "nil",
            "without what was authenticated")
    }

    @Test func chainedBlocksGoOn() async throws {
        let script = """
            key, iv = ("k"):rep(16), ("i"):rep(16)
            local function new() return ba.crypto.symmetric("CBC", key, iv) end
            whole = new():encrypt(("x"):rep(64))
            c = new() parts = c:encrypt(("x"):rep(32)) .. c:encrypt(("x"):rep(32))
            d = new() back = d:decrypt(whole:sub(1, 32)) .. d:decrypt(whole:sub(33))
            padded = new():decrypt(new():encrypt("seven..", "PKCS7"), "PKCS7")
            """
        #expect(
            try await evaluate("whole == parts, back == ('x'):rep(64), padded", script) == "true\ttrue\tseven..")
        #expect(try await evaluate("(ba.crypto.symmetric('CBC', key, iv):encrypt('x'))", script) == "nil")
    }

    @Test func textsForAddressesAreSealed() async throws {
        let script = "key = ba.aeskey() text = ba.aesencode(key, 'secret')"
        #expect(
            try await evaluate(
                "ba.aesdecode(key, text), text:find('[^%w_-]'), text ~= ba.aesencode(key, 'secret')", script)
                == "secret\tnil\ttrue")
        #expect(try await evaluate("(ba.aesdecode(ba.aeskey(), text))", script) == "nil")
        #expect(try await evaluate("(ba.aesdecode(key, 'x' .. text))", script) == "nil")
        #expect(try await evaluate("(ba.aesdecode(key, ''))", script) == "nil")
    }

    @Test(arguments: ["{}", "{curve='SECP384R1'}", "{key='rsa'}"])
    func signaturesAreChecked(_ options: String) async throws {
        let script = """
            key = assert(ba.create.key(\(options)))
            other = assert(ba.create.key(\(options)))
            hash = ba.crypto.hash("sha256")("text")(true)
            signature = assert(ba.crypto.sign(hash, key))
            local first, second = ba.crypto.keyparams(key)
            numbers = \(options.contains("rsa") ? "{n=first, e=second}" : "{x=first, y=second}")
            """
        let rig = try ScriptRig(
            .text(Self.helpers + "\n" + script + "\nready = true", name: "main.xlua"), manual: false)
        let app = rig.app
        try await eventually("the keys") {
            if !rig.errors.isEmpty { return true }
            return (try? await app.evaluate("ready")) == "true"
        }
        #expect(rig.errors == [])
        #expect(
            try await app.evaluate(
                "ba.crypto.verify(signature, key, hash), ba.crypto.verify(signature, hash, numbers), ba.crypto.verify(signature, other, hash)"
            ) == "true\ttrue\tfalse")
        #expect(
            try await app.evaluate("ba.crypto.verify(signature, key, ba.crypto.hash('sha256')('other')(true))")
                == "false")
        if options.contains("rsa") {
            #expect(
                try await app.evaluate(
                    "ba.crypto.verify(ba.crypto.sign(hash, key, {padding='pss'}), key, hash, {padding='pss', hashid='sha256'})"
                ) == "true")
        } else {
            // As a JWT has it: two numbers, and back.
            #expect(
                try await app.evaluate(
                    "(function() local r, s = ba.crypto.sigparams(signature) return #r == #s, ba.crypto.verify(ba.crypto.sigparams(r, s), key, hash) end)()"
                ) == "true\ttrue")
        }
        await rig.stop()
    }

    @Test(arguments: [
        ("ba.crypto.symmetric('ECB', ('k'):rep(16), ('i'):rep(16))", "GCM or CBC"),
        ("ba.crypto.symmetric('GCM', 'short', ('i'):rep(12))", "16, 24 or 32 bytes"),
        ("ba.crypto.symmetric('CBC', ('k'):rep(16), 'short')", "16 bytes"),
        ("ba.crypto.PBKDF2('md5', 'p', 's', 1, 1)", "sha256"),
        ("ba.crypto.PBKDF2('sha1', 'p', 's', 1e9, 1)", "1000000"),
        ("ba.crypto.PBKDF2('sha1', 'p', 's', 1, 1e6)", "1024"),
        ("ba.crypto.sign('no hash', 'key')", "are no hash"), ("ba.create.key({key='dsa'})", "Invalidarg key"),
        ("ba.crypto.verify('s', ('h'):rep(32), {x=('x'):rep(99), y='y'})", "a key is"),
    ])
    func mistakesRaise(_ expression: String, _ message: String) async throws {
        let error = await #expect(throws: DeviceError.self) { try await evaluate(expression) }
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        "ba.crypto.sign(('h'):rep(32), 'no key')", "ba.crypto.verify('s', 'no key', ('h'):rep(32))",
        "ba.crypto.keyparams('x')", "ba.crypto.sigparams('x')", "ba.crypto.verify('s', ('h'):rep(32), {x='x', y='y'})",
    ])
    func whatIsNoKeyIsTold(_ expression: String) async throws {
        #expect(try await evaluate("(\(expression))") == "nil")
        #expect(try await evaluate("type(select(2, \(expression)))") == "string")
    }
}
