import DeviceCore
import DeviceTransport

/// TLS for sockets of scripts: `ba.sharkclient()`, `ba.create.sharkssl(store, {server=true})`.
///
/// Differs from the vendor's in that a client checks the server's certificate and name before a script gets the
/// connection: a script that forgets `sock:trusted()` is safe.
final class LuaShark: LuaResource {
    static let luaClass = LuaClass(
        "sharkssl",
        methods: [
            "addcert": { call in
                let shark: LuaShark = try call.resource(0)
                let certificate: LuaCertificate = try call.resource(1)
                shark.identity = (certificate.chain, certificate.key)
                shark.made = nil
                return .success
            },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    let isServer: Bool
    /// Nil for the system's.
    private let store: LuaCertificateStore?
    private var identity: (chain: [UInt8], key: [UInt8])?
    private var made: (context: TLSStreamContext, storeVersion: Int)?

    private init(isServer: Bool, store: LuaCertificateStore?) {
        self.isServer = isServer
        self.store = store
    }

    func close(in context: LuaContext) {
        made = nil
        identity = nil
    }

    /// Reading the system's authorities takes ten milliseconds and more, so this is done once for all apps.
    private static let system = Result { () throws(DeviceError) in
        try TLSStreamContext(isServer: false, roots: nil, identity: nil)
    }

    /// Throws `.configuration` for certificates that cannot be used.
    func context() throws(DeviceError) -> TLSStreamContext {
        if isServer, identity == nil {
            throw DeviceError(.configuration, "a server needs a certificate", hint: "Add one: shark:addcert(cert)")
        }
        if !isServer, store == nil, identity == nil { return try Self.system.get() }
        let version = store?.version ?? 0
        if let made, made.storeVersion == version { return made.context }
        let context = try TLSStreamContext(isServer: isServer, roots: store?.certificates, identity: identity)
        made = (context, version)
        return context
    }

    /// The argument or option that must be one of these; nil for nil.
    static func found(_ value: LuaValue, _ context: LuaContext, isServer: Bool) throws -> LuaShark? {
        if case .nil = value { return nil }
        guard case .object(let object) = value, let shark = context.resource(object) as? LuaShark else {
            throw LuaError("shark: an object of ba.sharkclient or ba.create.sharkssl is expected")
        }
        guard shark.isServer == isServer else {
            throw LuaError(
                isServer
                    ? "shark: a server's is expected: ba.create.sharkssl(nil, {server=true})"
                    : "shark: a client's is expected, not a server's")
        }
        return shark
    }

    /// `ba.sharkclient()`
    static let makeClient: LuaBody = { call in
        .value(.object(try call.context.add(LuaShark(isServer: false, store: nil))))
    }

    /// `ba.create.sharkssl([store] [, {server=true}])`
    static let make: LuaBody = { call in
        let store: LuaCertificateStore? = call.isNil(0) ? nil : try call.resource(0)
        let isServer = call.isTable(1) ? try call.table(1)["server"].isTrue : false
        return .value(.object(try call.context.add(LuaShark(isServer: isServer, store: store))))
    }
}

/// `ba.create.certstore()`: whom a client trusts in place of the system's authorities.
final class LuaCertificateStore: LuaResource {
    static let luaClass = LuaClass(
        "certstore",
        methods: [
            "addcert": { call in
                let store: LuaCertificateStore = try call.resource(0)
                guard store.certificates.count < maximumCount else {
                    throw LuaError("too many certificates (at most \(maximumCount))")
                }
                do {
                    let text = try LuaCertificate.text(call, 1)
                    // What cannot be read is told now and not when a connection is made.
                    _ = try TLSStreamContext(isServer: false, roots: [text], identity: nil)
                    store.certificates.append(text)
                    store.version += 1
                    return .success
                } catch let error as DeviceError {
                    return .failure(error.message)
                }
            },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private static let maximumCount = 64
    private(set) var certificates: [[UInt8]] = []
    private(set) var version = 1

    static let make: LuaBody = { call in .value(.object(try call.context.add(LuaCertificateStore()))) }

    func close(in context: LuaContext) {}
}

/// `ba.create.sharkcert(io, certificate, key)`: an own certificate and its key.
final class LuaCertificate: LuaResource {
    static let luaClass = LuaClass(
        "sharkcert",
        methods: [
            "close": { call in
                try call.close()
                return .success
            }
        ])

    private static let maximumBytes = 64 << 10
    let chain: [UInt8]
    let key: [UInt8]

    private init(chain: [UInt8], key: [UInt8]) {
        self.chain = chain
        self.key = key
    }

    func close(in context: LuaContext) {}

    /// `ba.create.sharkcert(io, certificateFile, keyFile)`, or with the texts: `ba.create.sharkcert(certificate, key)`
    static let make: LuaBody = { call in
        do {
            let isFiles = !call.isString(0)
            let chain = try text(call, 0)
            let key = isFiles ? try text(call, 0, file: 2) : try text(call, 1)
            // What does not fit together is told now.
            _ = try TLSStreamContext(isServer: true, roots: nil, identity: (chain, key))
            return .value(.object(try call.context.add(LuaCertificate(chain: chain, key: key))))
        } catch let error as DeviceError {
            return .failure(error.message)
        }
    }

    /// A text in PEM: the argument itself, or, where it is an io, the file that the next argument names.
    static func text(_ call: LuaCall, _ index: Int, file: Int? = nil) throws -> [UInt8] {
        guard !call.isString(index) else {
            let text = try call.bytes(index)
            guard text.count <= maximumBytes else { throw LuaError(argument: index, "this is too long for PEM") }
            return text
        }
        let directory: LuaDirectory = try call.resource(index)
        try call.context.require(.files, "read")
        return try directory.read(try call.string(file ?? index + 1))
    }
}
