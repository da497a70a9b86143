import CLuaShim
import DeviceCore
import Glibc

/// An app's `io`, and what `ba.mkio` makes of it: files below a directory, which neither `..` nor a symbolic link leaves.
final class LuaDirectory: LuaResource {
    static let luaClass = LuaClass(
        "io", methods: methods.mapValues(LuaFile.mayBlock), builtIns: ["dofile": .doFile])

    private static let methods: [String: LuaBody] =
        [
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
                    let text = try directory.read(path)
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
            // As seen from the app: what lies above is no business of a script's.
            "realpath": { call in
                let directory: LuaDirectory = try call.resource(0)
                let path = call.isNil(1) ? "" : try call.string(1)
                return .value(.string(LuaAppFiles.joined(directory.prefix, path)))
            },
            "resourcetype": { _ in .value(.string("disk")) },
        ]

    private let files: LuaAppFiles
    private let prefix: String

    init(_ files: LuaAppFiles, _ prefix: String) {
        self.files = files
        self.prefix = prefix
    }

    private func root() throws -> Int32 {
        do { return try files.open(prefix) } catch { throw LuaError(error.message) }
    }

    /// A file's bytes, of a size that scripts may have.
    func read(_ path: String) throws(DeviceError) -> [UInt8] { try files.read(path, in: prefix) }

    /// `ba.openio(name)`: `home` and `disk` are the app's directory, others are not there.
    static let open: LuaBody = { call in
        let name = call.isNil(0) ? "home" : try call.string(0)
        guard call.context.files.root != nil else { return .failure("the app has no files") }
        guard ["home", "disk"].contains(name) else {
            return .failure("there is no io \"\(name)\" here: home and disk are the app's own directory")
        }
        return .value(.object(try call.context.add(LuaDirectory(call.context.files, ""))))
    }

    /// `ba.mkio(io, directory)`: an io that does not leave a directory of another one.
    static let make: LuaBody = { call in
        guard !call.isNil(0) else {
            return .failure("this host has no io but the app's: ba.mkio(ba.openio\"home\", \"directory\")")
        }
        let outer: LuaDirectory = try call.resource(0)
        try call.context.require(.files, "read")
        let inner = LuaDirectory(outer.files, LuaAppFiles.joined(outer.prefix, try call.string(1)))
        // Beneath the outer one, so that ".." cannot lead beside it.
        let root = try outer.root()
        defer { Glibc.close(root) }
        let directory = clua_open_beneath(root, try call.string(1), O_RDONLY | O_DIRECTORY, 0)
        guard directory >= 0 else { return .failure("\(try call.string(1)): \(SystemError.text(errno))") }
        Glibc.close(directory)
        return .value(.object(try call.context.add(inner)))
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
        let use = context.state { LuaDiskUse() }
        let file = clua_open_beneath(directory, path, flags | O_NONBLOCK, 0o644)
        guard file >= 0 else { throw DeviceError(.io, "\(path): \(SystemError.text(errno))") }
        if flags & O_TRUNC != 0 { use.forget() }
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
        call.context.state { LuaDiskUse() }.forget()
        return body(parent, String(name)) == 0 ? .success : .failure(SystemError.text(errno))
    }

    func close(in context: LuaContext) {}
}

/// An open file of an app.
final class LuaFile: LuaResource {
    static let maximumRead = 1 << 20

    static let luaClass = LuaClass("file", methods: methods.mapValues(mayBlock))

    private static let methods: [String: LuaBody] =
        [
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
                    if let failure = try call.withBytes(index, { try file.write($0, call.context) }) {
                        return .failure(failure)
                    }
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
        ]

    /// A disk can take its time, on the app's own thread.
    static func mayBlock(_ body: @escaping LuaBody) -> LuaBody {
        { call in
            defer { call.context.hasBlocked() }
            return try body(call)
        }
    }

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

    /// Writes all; the reason where that was not possible.
    private func write(_ bytes: UnsafeRawBufferPointer, _ context: LuaContext) throws -> String? {
        let limit = context.app.configuration.limits.disk
        let use = context.state { LuaDiskUse() }
        let before = size
        guard use.bytes(of: context.files) + bytes.count <= limit else {
            return "the app's files would have more than \(limit) bytes"
        }
        let isDone = Glibc.write(descriptor, bytes.baseAddress, bytes.count) == bytes.count
        let error = errno
        use.add(size - before)
        return isDone ? nil : SystemError.text(error)
    }

    private var size: Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
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

/// How many bytes an app's directory holds: counted when a script first writes, and followed from then on.
final class LuaDiskUse {
    private static let maximumEntries = 100_000
    private var counted: Int?

    func bytes(of files: LuaAppFiles) -> Int {
        if let counted { return counted }
        var left = Self.maximumEntries
        let bytes = files.root.map { Self.size(of: $0, depth: 16, &left) } ?? 0
        counted = bytes
        return bytes
    }

    func add(_ bytes: Int) { if let counted { self.counted = max(0, counted + bytes) } }
    /// Something became smaller: it is counted anew.
    func forget() { counted = nil }

    private static func size(of path: String, depth: Int, _ left: inout Int) -> Int {
        guard depth > 0 else { return 0 }
        var sum = 0
        for name in SystemFile.names(in: path) {
            guard left > 0 else { return sum }
            left -= 1
            var status = stat()
            // lstat: what a link leads to is not the app's.
            guard lstat(path + "/" + name, &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: sum += size(of: path + "/" + name, depth: depth - 1, &left)
            case S_IFREG: sum += Int(status.st_size)
            default: continue
            }
        }
        return sum
    }
}
