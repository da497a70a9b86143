public import DeviceCore
import Glibc

/// Counts the starts of a program in its state directory, so that a message's number can be used again after a crash
/// without being taken for the older message.
///
/// The count is the name of an empty file, `epoch-` and eight hexadecimal digits. A name is there or not: there is no
/// content to be torn. Two processes that start together wait for each other and get different numbers.
public enum BootEpoch {
    private static let prefix = "epoch-"

    /// Increases the count and returns it; 1 at the first start. Blocks for one write of the directory: to be called
    /// once, at start.
    ///
    /// When it returns, the number is durable: no later call, also after kill -9 or power failure at any moment,
    /// returns it again. A number may be skipped. Only who removes the directory begins again, and must then choose a
    /// new source (``MessageID``). Throws `.permission` or `.io`, and `.limitExceeded` after 4294967295 starts.
    public static func next(in directory: String) throws(DeviceError) -> UInt32 {
        try StateDirectory.create(directory)
        let folder = try StoreFile(directory, flags: O_RDONLY | O_DIRECTORY)
        // Held until `folder` is closed. Others hold it as long as this function runs, so waiting is no risk.
        while flock(folder.descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else { throw StoreFile.error("lock", directory, errno) }
        }
        let before = try StateDirectory.names(in: directory).compactMap { epoch(of: $0) }
        let last = before.max() ?? 0
        guard last < .max else {
            throw DeviceError(
                .limitExceeded, "the boot epochs of \(directory) are used up",
                hint: "Remove the state directory, with the source that is stored in it")
        }
        _ = try StoreFile(directory + "/" + name(of: last + 1), flags: O_WRONLY | O_CREAT | O_EXCL)
        try folder.syncDirectory()
        // The new name is durable; older ones only cost room.
        for old in before { unlink(directory + "/" + name(of: old)) }
        return last + 1
    }

    private static func name(of epoch: UInt32) -> String {
        let digits = String(epoch, radix: 16)
        return prefix + String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// The number in a name; nil for names of other files.
    private static func epoch(of name: String) -> UInt32? {
        guard name.utf8.count == prefix.utf8.count + 8, name.hasPrefix(prefix),
            let epoch = UInt32(name.dropFirst(prefix.count), radix: 16), Self.name(of: epoch) == name
        else { return nil }
        return epoch
    }
}
