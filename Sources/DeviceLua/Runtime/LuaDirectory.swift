import CLuaShim
import DeviceCore
import Glibc

/// An app's `io`: files below its directory, which neither `..` nor a symbolic link leaves.
final class LuaDirectory: LuaResource {
    static let luaClass = LuaClass(
        "io",
        methods: [
            "open": { call in
                let directory: LuaDirectory = try call.resource(0)
                let mode = call.isNil(2) ? "r" : try call.string(2)
                let path = try call.string(1)
                do {
                    let file = try directory.open(path, mode, call.context)
                    return .value(.object(try call.context.add(file)))
                } catch let error as DeviceError {
                    return .failure("\(error)")
                }
            },
            "loadfile": { call in
                let directory: LuaDirectory = try call.resource(0)
                let path = try call.string(1)
                try call.context.require(.files, "read")
                do {
                    let text = try call.context.files.read(path)
                    return try call.compile(text, named: "@\(call.context.app.name)/\(path)", environment: 2)
                } catch let error as DeviceError {
                    return .failure("\(error)")
                }
            },
            "stat": { call in
                let directory: LuaDirectory = try call.resource(0)
                try call.context.require(.files, "read")
                guard let status = directory.status(try call.string(1)) else { return .failure("notfound") }
                return .value(
                    .table(
                        LuaTable(named: [
                            ("size", .integer(Int(status.st_size))),
                            ("mtime", .integer(Int(status.st_mtim.tv_sec))),
                            ("isdir", .boolean(status.st_mode & S_IFMT == S_IFDIR)),
                            ("type", .string(status.st_mode & S_IFMT == S_IFDIR ? "directory" : "regular")),
                        ])))
            },
            "files": { call in
                let directory: LuaDirectory = try call.resource(0)
                try call.context.require(.files, "read")
                let names = try directory.names(call.isNil(1) ? "" : try call.string(1))
                return .values([.builtIn(.nextListed), .table(LuaTable(list: names))])
            },
            "mkdir": { call in try change(call) { mkdirat($0, $1, 0o755) } },
            "rmdir": { call in try change(call) { unlinkat($0, $1, Int32(AT_REMOVEDIR)) } },
            "remove": { call in try change(call) { unlinkat($0, $1, 0) } },
            "realpath": { call in .value(.bytes(try call.bytes(1))) },
            "resourcetype": { _ in .value(.string("disk")) },
        ], builtIns: ["dofile": .doFile])

    private let files: LuaAppFiles
    private let prefix: String

    init(_ files: LuaAppFiles, _ prefix: String) {
        self.files = files
        self.prefix = prefix
    }

    private func root() throws -> Int32 {
        guard let root = files.root else { throw LuaError("the app has no files") }
        let directory = clua_open_root(root)
        guard directory >= 0 else { throw LuaError("cannot open the app's directory: \(SystemError.text(errno))") }
        return directory
    }

    private func open(_ path: String, _ mode: String, _ context: LuaContext) throws -> LuaFile {
        let reads = mode.hasPrefix("r")
        let flags: Int32 =
            switch mode.filter({ $0 != "b" }) {
            case "r": O_RDONLY
            case "r+": O_RDWR
            case "w", "w+": O_RDWR | O_CREAT | O_TRUNC
            case "a", "a+": O_RDWR | O_CREAT | O_APPEND
            default: throw LuaError("no such mode: \(mode)")
            }
        try context.require(.files, reads && !mode.contains("+") ? "read" : "write")
        let open = context.objects.values.count { $0.resource is LuaFile }
        guard open < context.app.configuration.limits.files else {
            throw LuaError("too many files are open (at most \(context.app.configuration.limits.files))")
        }
        let directory = try root()
        defer { Glibc.close(directory) }
        let file = clua_open_beneath(directory, path, flags | O_NONBLOCK, 0o644)
        guard file >= 0 else { throw DeviceError(.io, "\(path): \(SystemError.text(errno))") }
        return LuaFile(file)
    }

    private func status(_ path: String) -> stat? {
        guard let directory = try? root() else { return nil }
        defer { Glibc.close(directory) }
        let file = clua_open_beneath(directory, path, O_RDONLY | O_NONBLOCK, 0)
        guard file >= 0 else { return nil }
        defer { Glibc.close(file) }
        var status = stat()
        return fstat(file, &status) == 0 ? status : nil
    }

    /// Names and whether each is a directory, by turns.
    private func names(_ path: String) throws -> [LuaValue] {
        let directory = try root()
        defer { Glibc.close(directory) }
        let file = clua_open_beneath(directory, path, O_RDONLY | O_DIRECTORY, 0)
        guard file >= 0 else { throw LuaError("\(path): \(SystemError.text(errno))") }
        guard let stream = fdopendir(file) else {
            Glibc.close(file)
            throw LuaError("\(path): \(SystemError.text(errno))")
        }
        defer { closedir(stream) }
        var names: [(String, Bool)] = []
        while let entry = readdir(stream), names.count < 4096 {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append((name, Int(entry.pointee.d_type) == Int(DT_DIR))) }
        }
        return names.sorted { $0.0 < $1.0 }.flatMap { [.string($0.0), .boolean($0.1)] }
    }

    /// Does something to the last name of a path, in the directory that the rest names.
    private static func change(_ call: LuaCall, _ body: (Int32, String) -> Int32) throws -> LuaOutcome {
        let directory: LuaDirectory = try call.resource(0)
        try call.context.require(.files, "write")
        var parts = try call.string(1).split(separator: "/")
        guard let name = parts.popLast(), name != "..", name != "." else { return .failure("invalid name") }
        let root = try directory.root()
        defer { Glibc.close(root) }
        let parent = clua_open_beneath(root, parts.joined(separator: "/"), O_RDONLY | O_DIRECTORY, 0)
        guard parent >= 0 else { return .failure(SystemError.text(errno)) }
        defer { Glibc.close(parent) }
        return body(parent, String(name)) == 0 ? .success : .failure(SystemError.text(errno))
    }

    func close(in context: LuaContext) {}
}

/// An open file of an app.
final class LuaFile: LuaResource {
    static let maximumRead = 1 << 20

    static let luaClass = LuaClass(
        "file",
        methods: [
            "read": { call in
                let file: LuaFile = try call.resource(0)
                if call.isNumber(1) {
                    return try file.read(try call.integer(1, in: 0...Int64(maximumRead), "the size"))
                }
                let format = call.isNil(1) ? "a" : try call.string(1)
                return switch format.filter({ $0 != "*" }) {
                case "a": try file.read(maximumRead)
                case "l": try file.line()
                default: throw LuaError(argument: 1, "no such format: \(format)")
                }
            },
            "write": { call in
                let file: LuaFile = try call.resource(0)
                for index in 1..<max(1, call.count) {
                    let good = try call.withBytes(index) { bytes in
                        Glibc.write(file.descriptor, bytes.baseAddress, bytes.count) == bytes.count
                    }
                    if !good { return .failure(SystemError.text(errno)) }
                }
                return .success
            },
            "seek": { call in
                let file: LuaFile = try call.resource(0)
                let from: Int32 =
                    switch call.isNil(1) ? "cur" : try call.string(1) {
                    case "set": SEEK_SET
                    case "end": SEEK_END
                    default: SEEK_CUR
                    }
                let offset = call.isNil(2) ? 0 : try call.integer(2)
                let position = lseek(file.descriptor, Int(offset), from)
                return position >= 0 ? .value(.integer(position)) : .failure(SystemError.text(errno))
            },
            "flush": { call in
                let _: LuaFile = try call.resource(0)
                return .success
            },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private let descriptor: Int32
    init(_ descriptor: Int32) { self.descriptor = descriptor }

    private func read(_ count: Int) throws -> LuaOutcome {
        var bytes = [UInt8](repeating: 0, count: count)
        var total = 0
        while total < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress.map { $0 + total }, count - total)
            }
            if got < 0, errno == EINTR { continue }
            if got < 0 { return .failure(SystemError.text(errno)) }
            if got == 0 { break }
            total += got
        }
        if total == 0, count > 0 { return .value(.nil) }
        bytes.removeLast(count - total)
        return .value(.bytes(bytes))
    }

    private func line() throws -> LuaOutcome {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while line.count < 65536 {
            guard Glibc.read(descriptor, &byte, 1) == 1 else { return .value(line.isEmpty ? .nil : .bytes(line)) }
            if byte == UInt8(ascii: "\n") { break }
            line.append(byte)
        }
        return .value(.bytes(line))
    }

    func close(in context: LuaContext) { Glibc.close(descriptor) }
}
