import DeviceCore
import DeviceLua
import Glibc

/// The files of an app that a page may show and change: its scripts, its `.preload` and its `.lua` modules, nothing
/// else, and nothing outside.
struct AppFolder: Sendable {
    /// The largest file that is shown or taken; a request's body has no more.
    static let sizeLimit = 64 << 10
    private static let countLimit = 100

    private let root: String
    private let single: String?

    /// Nil for an app without files.
    init?(_ source: LuaAppSource) {
        switch source {
        case .directory(let path): (root, single) = (path, nil)
        case .file(let path):
            let slash = path.lastIndex(of: "/")
            root = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
            single = slash.map { String(path[path.index(after: $0)...]) } ?? path
        case .text: return nil
        }
    }

    /// The files' paths within the app, sorted.
    var names: [String] {
        if let single { return [single] }
        var found: [String] = []
        collect("", &found, depth: 4)
        return found.sorted()
    }

    private func collect(_ folder: String, _ found: inout [String], depth: Int) {
        guard depth > 0 else { return }
        for name in SystemFile.names(in: folder.isEmpty ? root : "\(root)/\(folder)") {
            guard found.count < Self.countLimit else { return }
            let path = folder.isEmpty ? name : "\(folder)/\(name)"
            var status = stat()
            // lstat: a link could lead anywhere.
            guard lstat("\(root)/\(path)", &status) == 0 else { continue }
            switch status.st_mode & S_IFMT {
            case S_IFDIR where name == ".lua" || !name.hasPrefix("."): collect(path, &found, depth: depth - 1)
            case S_IFREG where name == ".preload" || name.hasSuffix(".xlua") || name.hasSuffix(".lua"):
                found.append(path)
            default: continue
            }
        }
    }

    /// A file's text. Throws `.notFound` for what is none of the app's files.
    func read(_ name: String) throws(DeviceError) -> [UInt8] {
        let bytes = try SystemFile.read(try path(name), limit: Self.sizeLimit + 1)
        guard bytes.count <= Self.sizeLimit else {
            throw DeviceError(.limitExceeded, "\(name) has more than \(Self.sizeLimit) bytes")
        }
        return bytes
    }

    /// Replaces a file's text: the old one or the new one is there at every moment.
    func write(_ bytes: [UInt8], to name: String) throws(DeviceError) {
        let path = try path(name)
        guard bytes.count <= Self.sizeLimit else {
            throw DeviceError(.limitExceeded, "\(name) would have more than \(Self.sizeLimit) bytes")
        }
        let temporary = "\(path).new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard file >= 0 else { throw failure("write", name) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress.map { $0 + sent }, $0.count - sent) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            sent += count
        }
        let isWhole = sent == bytes.count && fsync(file) == 0
        close(file)
        guard isWhole, rename(temporary, path) == 0 else {
            let error = failure("write", name)
            unlink(temporary)
            throw error
        }
    }

    private func path(_ name: String) throws(DeviceError) -> String {
        guard names.contains(name) else {
            throw DeviceError(.notFound, "the app has no file \"\(name.prefix(100).printable)\"")
        }
        return "\(root)/\(name)"
    }

    private func failure(_ verb: String, _ name: String) -> DeviceError {
        let code: DeviceError.Code = [EACCES, EPERM, EROFS].contains(errno) ? .permission : .io
        return DeviceError(code, "cannot \(verb) \(name): \(SystemError.text(errno))")
    }
}

extension Substring {
    fileprivate var printable: String { String(decoding: utf8, as: UTF8.self).printable }
}
