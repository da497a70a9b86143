public import DeviceCore
import Glibc

/// The secret that pages and devices need where a program listens on the network.
///
/// It stays the same over restarts, so that pages, bookmarks and devices go on working.
public enum AccessToken {
    /// A token and what the user should know about it.
    public struct Loaded: Sendable {
        /// The token: printable characters that need no escape in an address.
        public var value: String
        /// One sentence, when the token could not be kept and so is another one after a restart.
        public var warning: String?
    }

    /// The shortest token that is taken from the environment.
    public static let minimumLength = 16
    /// The longest.
    public static let maximumLength = 255

    /// The token of this process's user: `DEVICE_TOKEN` if that is set, else the one kept in `$STATE_DIRECTORY/token`
    /// or `$XDG_STATE_HOME/devicesdk/token` (`~/.local/state/devicesdk/token`), which is made when it is not there.
    ///
    /// - Throws: `.configuration` when `DEVICE_TOKEN` is no token, `.io` when there are no random bytes.
    public static func load() throws(DeviceError) -> Loaded {
        try load { name in getenv(name).map { String(cString: $0) } }
    }

    /// The same with another environment.
    static func load(environment: (String) -> String?) throws(DeviceError) -> Loaded {
        if let token = environment("DEVICE_TOKEN"), !token.isEmpty {
            guard isToken(token) else {
                // The secret itself is not printed.
                throw DeviceError(
                    .configuration, "DEVICE_TOKEN is no token",
                    hint: "Give it \(minimumLength) to \(maximumLength) of the characters A-Z a-z 0-9 - . _ ~")
            }
            return Loaded(value: token)
        }
        let fresh = try OpenSSLCrypto().accessToken()
        do throws(DeviceError) {
            guard let directory = UserState.directory(environment) else {
                throw DeviceError(.notFound, "neither STATE_DIRECTORY nor HOME is set")
            }
            return Loaded(value: try kept(in: directory, fresh: fresh))
        } catch {
            return Loaded(
                value: fresh,
                warning: "The token is a new one at every start, because it cannot be kept: \(error.message). "
                    + "Set DEVICE_TOKEN to choose it.")
        }
    }

    /// Whether a text can be a token.
    static func isToken(_ text: String) -> Bool {
        (minimumLength...maximumLength).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~".utf8.contains(byte)
                }
            }
    }

    /// The token in the file; makes the file of `fresh` when it is not there or holds no token.
    private static func kept(in directory: String, fresh: String) throws(DeviceError) -> String {
        let path = directory + "/token"
        let old = try read(path)
        if let old, isToken(old) { return old }
        try makeDirectories(directory)
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: .min ... .max))"
        try write(fresh + "\n", to: temporary)
        defer { unlink(temporary) }
        if old == nil {
            // A link, unlike a rename, leaves the token of a program that started at the same moment.
            if link(temporary, path) == 0 { return fresh }
            if errno == EEXIST, let other = try read(path), isToken(other) { return other }
        }
        guard rename(temporary, path) == 0 else { throw failure("write", path) }
        return fresh
    }

    /// The file's text, or nil when there is none. Others lose the right to read it.
    private static func read(_ path: String) throws(DeviceError) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("read", path)
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw DeviceError(.io, "\(path) is no file")
        }
        if status.st_mode & 0o077 != 0, fchmod(file, 0o600) != 0 { throw failure("protect", path) }
        var bytes = [UInt8](repeating: 0, count: maximumLength + 2)
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count >= 0 else { throw failure("read", path) }
        let text = String(decoding: bytes[..<count], as: UTF8.self)  // safe: read gives no more than there is room
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    private static func makeDirectories(_ directory: String) throws(DeviceError) {
        var path = directory.hasPrefix("/") ? "" : "."
        for part in directory.split(separator: "/") {
            path += "/\(part)"
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("make", path) }
        }
    }

    private static func write(_ text: String, to path: String) throws(DeviceError) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw failure("write", path) }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0 else {
            let error = failure("write", path)
            unlink(path)
            throw error
        }
    }

    private static func failure(_ verb: String, _ path: String) -> DeviceError {
        DeviceError(.io, "cannot \(verb) \(path): \(SystemError.text(errno))")
    }
}
