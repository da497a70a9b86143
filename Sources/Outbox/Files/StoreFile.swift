import DeviceCore
import Glibc

/// The system calls whose failure a test must be able to bring about.
struct FileCalls: Sendable {
    var read: @Sendable (Int32, UnsafeMutableRawBufferPointer, Int64) -> Int = { file, bytes, offset in
        pread(file, bytes.baseAddress, bytes.count, off_t(offset))
    }
    var write: @Sendable (Int32, UnsafeRawBufferPointer, Int64) -> Int = { file, bytes, offset in
        pwrite(file, bytes.baseAddress, bytes.count, off_t(offset))
    }
    var sync: @Sendable (Int32) -> Int32 = { fdatasync($0) }
}

/// An open file that is read and written at given places. Used by one thread.
final class StoreFile {
    let path: String
    let descriptor: Int32
    private let calls: FileCalls

    init(_ path: String, flags: Int32, calls: FileCalls = FileCalls()) throws(DeviceError) {
        self.path = path
        self.calls = calls
        descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.error("open", path, errno) }
    }

    deinit { close(descriptor) }

    /// Bytes in the file.
    func size() throws(DeviceError) -> Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.error("read", path, errno) }
        return Int64(status.st_size)
    }

    /// Reads into the start of a buffer, up to `limit` bytes and the end of the file; returns how much.
    ///
    /// Ends early before bytes that the disk cannot read; throws when those are the first.
    func read(into buffer: inout [UInt8], limit: Int, at offset: Int64) throws(DeviceError) -> Int {
        let limit = min(limit, buffer.count)
        var count = 0
        while count < limit {
            let got = buffer.withUnsafeMutableBytes { bytes in
                // safe: count is below limit, which is at most the buffer's size
                let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[count..<limit])
                return calls.read(descriptor, rest, offset + Int64(count))
            }
            if got < 0 {
                if errno == EINTR { continue }
                if count > 0 { break }
                throw Self.error("read", path, errno)
            }
            if got == 0 { break }
            count += got
        }
        return count
    }

    /// Writes all bytes, or throws after cutting off what was written of them.
    func write(_ bytes: [UInt8], at offset: Int64) throws(DeviceError) {
        var done = 0
        while done < bytes.count {
            let wrote = bytes.withUnsafeBytes {
                calls.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[done...]), offset + Int64(done))
            }
            if wrote > 0 {
                done += wrote
                continue
            }
            let number = wrote == 0 ? EIO : errno
            if wrote < 0, number == EINTR { continue }
            // Cutting may fail on a broken disk; start-up deals with a torn tail anyway.
            _ = ftruncate(descriptor, off_t(offset))
            throw Self.error("write", path, number)
        }
    }

    /// Brings the content to the disk.
    func sync() throws(DeviceError) {
        while calls.sync(descriptor) != 0 {
            if errno != EINTR { throw Self.error("sync", path, errno) }
        }
    }

    /// Brings a directory's names to the disk.
    func syncDirectory() throws(DeviceError) {
        while fsync(descriptor) != 0 {
            // Some file systems have nothing to sync in a directory and say so.
            if errno == EINVAL { return }
            if errno != EINTR { throw Self.error("sync", path, errno) }
        }
    }

    func truncate(to size: Int64) throws(DeviceError) {
        while ftruncate(descriptor, off_t(size)) != 0 {
            if errno != EINTR { throw Self.error("cut", path, errno) }
        }
    }

    static func remove(_ path: String) throws(DeviceError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw error("remove", path, errno) }
    }

    /// What a failed call means to a person.
    static func error(_ verb: String, _ path: String, _ number: Int32) -> DeviceError {
        let message = "cannot \(verb) \(path): \(SystemError.text(number))"
        switch number {
        case ENOSPC, EDQUOT, EFBIG:
            return DeviceError(
                .io, message, hint: "Free space there; what is stored stays, and writing goes on by itself")
        case EROFS:
            return DeviceError(.io, message, hint: "Choose a state directory on a writable file system")
        case EIO:
            return DeviceError(.io, message, hint: "The disk or SD card may be failing; look at dmesg and replace it")
        case EACCES, EPERM:
            return DeviceError(.permission, message, hint: "Give this user the directory or choose another one")
        case ENOENT: return DeviceError(.notFound, message)
        case EMFILE, ENFILE:
            return DeviceError(.limitExceeded, message, hint: "Raise the limit of open files (ulimit -n)")
        default: return DeviceError(.io, message)
        }
    }
}
