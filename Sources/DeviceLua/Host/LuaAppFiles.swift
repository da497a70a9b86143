import CLuaShim
import DeviceCore
import Glibc

/// An app's files: what it consists of, and what it can require.
struct LuaAppFiles: Sendable {
    /// A file's text.
    struct Script: Sendable {
        /// Relative to the app: `.preload`, `blink.xlua`, `sub/fade.xlua`.
        let path: String
        let text: [UInt8]
    }

    static let maximumScripts = 100
    static let maximumSize = 1 << 20

    /// The directory that the app is rooted in, nil for a text.
    let root: String?
    private let source: LuaAppSource

    init(_ source: LuaAppSource) {
        self.source = source
        switch source {
        case .directory(let path): root = path
        case .file(let path):
            root = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        case .text: root = nil
        }
    }

    /// The app's `.preload`, nil where there is none.
    func preload() throws(DeviceError) -> Script? {
        guard case .directory = source else { return nil }
        return try readIfThere(".preload").map { Script(path: ".preload", text: $0) }
    }

    /// Every `*.xlua`, in the order of their paths.
    func scripts() throws(DeviceError) -> [Script] {
        switch source {
        case .text(let text, let name): return [Script(path: name, text: Array(text.utf8))]
        case .file(let path):
            let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
            return [Script(path: name, text: try read(name))]
        case .directory(let root):
            guard access(root, R_OK | X_OK) == 0 else {
                throw DeviceError(.notFound, "cannot read the app's directory \(root): \(SystemError.text(errno))")
            }
            var paths: [String] = []
            collect("", into: &paths, depth: 8)
            guard paths.count <= Self.maximumScripts else {
                throw DeviceError(.limitExceeded, "\(root) has more than \(Self.maximumScripts) .xlua files")
            }
            var scripts: [Script] = []
            for path in paths { scripts.append(Script(path: path, text: try read(path))) }
            return scripts
        }
    }

    /// Whether the app consists of that file, given relative to its root.
    func isScript(_ path: String) -> Bool {
        switch source {
        case .directory: path.hasSuffix(".xlua") && !path.split(separator: "/").contains { $0.hasPrefix(".") }
        case .file(let own): own == path || own.hasSuffix("/" + path)
        case .text: false
        }
    }

    private func collect(_ directory: String, into paths: inout [String], depth: Int) {
        guard let root, depth > 0, paths.count <= Self.maximumScripts else { return }
        for name in SystemFile.names(in: directory.isEmpty ? root : root + "/" + directory) where !name.hasPrefix(".") {
            let path = directory.isEmpty ? name : directory + "/" + name
            if name.hasSuffix(".xlua") { paths.append(path) } else { collect(path, into: &paths, depth: depth - 1) }
        }
    }

    /// The app's directory or one below it, to be closed. Throws like ``read(_:in:)``.
    func open(_ path: String) throws(DeviceError) -> Int32 {
        guard let root else { throw DeviceError(.notFound, "the app has no files") }
        let directory = clua_open_root(root)
        guard directory >= 0 else { throw Self.failure(root, errno) }
        guard !path.isEmpty else { return directory }
        defer { close(directory) }
        let inner = clua_open_beneath(directory, path, O_RDONLY | O_DIRECTORY, 0)
        guard inner >= 0 else { throw Self.failure(path, errno) }
        return inner
    }

    /// Two parts of a path; slashes at the ends do not matter.
    static func joined(_ first: String, _ second: String) -> String {
        (first.split(separator: "/") + second.split(separator: "/")).joined(separator: "/")
    }

    /// A file's bytes. Throws `.notFound`, `.permission`, `.limitExceeded`, `.io`.
    ///
    /// - Parameter folder: a directory of the app that the path does not leave.
    func read(_ path: String, in folder: String = "") throws(DeviceError) -> [UInt8] {
        let directory = try open(folder)
        defer { close(directory) }
        let file = clua_open_beneath(directory, path, O_RDONLY | O_NONBLOCK, 0)
        guard file >= 0 else { throw Self.failure(path, errno) }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 0)
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(path, errno) }
            if count == 0 { return bytes }
            bytes += buffer.prefix(count)
            guard bytes.count <= Self.maximumSize else {
                throw DeviceError(.limitExceeded, "\(path) has more than \(Self.maximumSize) bytes")
            }
        }
    }

    /// The same, nil for a file that is not there.
    private func readIfThere(_ path: String) throws(DeviceError) -> [UInt8]? {
        do {
            return try read(path)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private static func failure(_ path: String, _ error: Int32) -> DeviceError {
        let code: DeviceError.Code =
            switch error {
            case ENOENT, ENOTDIR: .notFound
            case EACCES, EPERM, EXDEV, ELOOP: .permission
            default: .io
            }
        return DeviceError(code, "cannot read \(path): \(SystemError.text(error))")
    }

    /// Answers the script's `require`: the text of a module in `.lua/` and its name for errors.
    func require(_ call: LuaCall) throws -> LuaOutcome {
        let name = try call.string(0)
        let isPlain = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: "/") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        guard isPlain, !name.isEmpty, !name.contains("..") else { throw LuaError("module '\(name)' not found") }
        let path = ".lua/" + name.replacing(".", with: "/")
        for candidate in [path + ".lua", path + "/init.lua"] {
            guard let text = try readIfThere(candidate) else { continue }
            return .values([.bytes(text), .string("@\(call.context.app.name)/\(candidate)")])
        }
        throw LuaError("module '\(name)' not found: neither \(path).lua in the app nor a module of the host")
    }
}

extension String {
    fileprivate func replacing(_ character: Character, with other: Character) -> String {
        String(map { $0 == character ? other : $0 })
    }
}
