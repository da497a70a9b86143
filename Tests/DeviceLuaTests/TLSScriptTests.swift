import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import DeviceLua

/// TLS of sockets: scripts at both ends, certificates of the tests' authority.
@Suite(.timeLimit(.minutes(3))) struct TLSScriptTests {
    /// An app whose directory has the certificates, a server that echoes, and `connect(host, shark)`.
    private func rig(_ script: String, certificate: String = "server") throws -> (TemporaryDirectory, ScriptRig) {
        let certificates = try TestCertificates.shared.get()
        let pair = certificates.pair(certificate)
        let directory = try TemporaryDirectory()
        for (name, path) in [
            ("cert.pem", pair.certificate), ("key.pem", pair.key), ("ca.pem", certificates.path("ca")),
            ("foreign.pem", certificates.path("foreign")),
        ] { try TemporaryDirectory.write(try TemporaryDirectory.read(path), to: directory(name)) }
        let server = """
            local shark = ba.create.sharkssl(nil, {server=true})
            shark:addcert(assert(ba.create.sharkcert(io, "cert.pem", "key.pem")))
            listener = assert(ba.socket.bind(0, {shark=shark}))
            local _, port = listener:sockname()
            listener:event(function(l)
                while true do
                    local s = l:accept()
                    if not s then return end
                    s:event(function(s)
                        while true do
                            local data, why = s:read()
                            if not data then trace("server:", why) return end
                            s:write(data)
                        end
                    end, "s")
                end
            end, "r")
            store = ba.create.certstore()
            assert(store:addcert(io, "ca.pem"))
            function connect(host, shark) return ba.socket.connect(host, port, {shark=shark, timeout=60000}) end

            """
        try TemporaryDirectory.write(Array((server + script).utf8), to: directory("main.xlua"))
        return (directory, try ScriptRig(.directory(directory.path), manual: false, directory: directory))
    }

    @Test func bytesGoThereAndBack() async throws {
        let (_, rig) = try rig(
            """
            ba.thread.run(function()
                local s = assert(connect("localhost", ba.create.sharkssl(store)))
                trace(s:trusted(), s:trusted("localhost"), (s:trusted("other.test")))
                local big = ba.rndbs(60000) .. ba.rndbs(60000)
                ba.thread.run(function() assert(s:write(big)) end)
                local back = ""
                while #back < #big do back = back .. assert(s:read(60000)) end
                trace(back == big)
                trace(s:read(1))
                s:close()
                trace("done")
            end)
            """)
        try await eventually("the end") {
            (rig.traces.contains("done") && rig.traces.contains { $0.hasPrefix("server:") }) || !rig.errors.isEmpty
        }
        #expect(rig.errors == [])
        #expect(
            rig.traces.filter { !$0.hasPrefix("server:") } == ["true\ttrue\tfalse", "true", "nil\ttimeout", "done"])
        #expect(rig.traces.contains("server:\tsysshutdown"))
        await rig.stop()
    }

    /// Without a word of the script's: certificates are checked.
    @Test(arguments: [
        ("server", "localhost", "ba.sharkclient()", "not trusted"),
        ("server", "localhost", "ba.create.sharkssl()", "not trusted"),
        (
            "server", "localhost",
            "(function() local s = ba.create.certstore() s:addcert(io, 'foreign.pem') return ba.create.sharkssl(s) end)()",
            "not trusted"
        ),
        ("wrong", "localhost", "ba.create.sharkssl(store)", "not for localhost"),
    ])
    func aServerThatIsNotTrustedIsRefused(
        _ certificate: String, _ host: String, _ shark: String, _ reason: String
    ) async throws {
        let (_, rig) = try rig(
            """
            ba.thread.run(function()
                local shark, s, why = \(shark)
                -- More often than there may be sockets: each is given back.
                for i = 1, 40 do s, why = connect("\(host)", shark) end
                trace("answer", s, why)
            end)
            """, certificate: certificate)
        try await eventually("the answer") { rig.traces.contains { $0.hasPrefix("answer") } || !rig.errors.isEmpty }
        let answer = rig.traces.first { $0.hasPrefix("answer") } ?? ""
        #expect(answer.hasPrefix("answer\tnil\t") && answer.contains(reason), "\(answer) \(rig.errors)")
        await rig.stop()
    }

    @Test func aConnectionBecomesSecureLater() async throws {
        let (_, rig) = try rig(
            """
            local plain = assert(ba.socket.bind(0))
            local _, port = plain:sockname()
            local server = ba.create.sharkssl(nil, {server=true})
            server:addcert(ba.create.sharkcert(io, "cert.pem", "key.pem"))
            plain:event(function(l)
                local s = l:accept()
                s:event(function(s)
                    trace("plain", s:read())
                    s:write("go")
                    assert(s:upgrade(server))
                    s:write("<" .. s:read() .. ">")
                end, "s")
            end, "r")
            ba.thread.run(function()
                local s = assert(ba.socket.connect("localhost", port))
                trace((s:trusted()))
                s:write("starttls")
                s:read()
                trace(s:upgrade(ba.create.sharkssl(store)))
                s:write("secret")
                trace(s:read(60000))
            end)
            """)
        try await eventually("the echo") { rig.traces.contains("<secret>") || !rig.errors.isEmpty }
        #expect(rig.errors == [])
        #expect(rig.traces == ["false", "plain\tstarttls", "true", "<secret>"])
        await rig.stop()
    }

    /// Who does not speak TLS at all keeps nobody waiting longer than told.
    @Test func aSilentServerIsGivenUp() async throws {
        let (_, rig) = try rig(
            """
            mute = assert(ba.socket.bind(0))
            local _, port = mute:sockname()
            ba.thread.run(function() trace('answer', ba.socket.connect('localhost', port, {shark=ba.sharkclient(), timeout=50})) end)
            """)
        try await eventually("the answer") { rig.traces.contains { $0.hasPrefix("answer") } }
        #expect(rig.traces == ["answer\tnil\ttimeout"])
        await rig.stop()
    }

    @Test(arguments: [
        ("ba.socket.connect('localhost', 1, {shark=5})", "shark: an object"),
        ("ba.socket.connect('localhost', 1, {shark=ba.create.sharkssl(nil, {server=true})})", "a client's is expected"),
        ("ba.socket.bind(0, {shark=ba.sharkclient()})", "a server's is expected"),
    ])
    func mistakesRaise(_ expression: String, _ message: String) async throws {
        let (_, rig) = try rig("")
        let error = await #expect(throws: DeviceError.self) { try await rig.app.evaluate(expression) }
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        await rig.stop()
    }

    @Test(arguments: [
        "ba.create.sharkcert('no', 'certificate')", "ba.create.sharkcert(io, 'cert.pem', 'ca.pem')",
        "ba.create.sharkcert(io, 'absent.pem', 'key.pem')", "ba.create.certstore():addcert('no certificate')",
        "ba.socket.bind(0, {shark=ba.create.sharkssl(nil, {server=true})})",
    ])
    func whatCannotBeUsedIsTold(_ expression: String) async throws {
        let (_, rig) = try rig("")
        await rig.app.settle()
        #expect(try await rig.app.evaluate("(\(expression))") == "nil")
        #expect(try await rig.app.evaluate("#select(2, \(expression)) > 10") == "true")
        await rig.stop()
    }
}
