/// What answers nil and a sentence, because it belongs to the vendor's web server or to the operating system.
enum LuaStubs {
    private static let server = "there is no web server for scripts: pages are the program's own"

    /// Of `ba`.
    static let ba: [String: String] = [
        "exec": "scripts start no programs here",
        "forkpty": "scripts start no programs here",
        "parsecert": "certificates cannot be taken apart here: ba.crypto.keyparams gives a certificate's key",
        "parselsp": server,
        "serverport": server,
        "tpm": "keys of the machine are the program's own here",
    ]

    /// Of `ba.create`.
    static let create: [String: String] = [
        "authenticator": server,
        "authuser": server,
        "csr": "certificates are requested with openssl here, see docs/tls.md",
        "dav": server,
        "dir": server,
        "domain": server,
        "jsonuser": server,
        "luaio": "an io in Lua is not supported: ba.mkio makes one of a directory",
        "resrdr": server,
        "servercon": server,
        "tracelogger": server,
        "upload": server,
        "wfs": server,
    ]
}
