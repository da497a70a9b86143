public import DeviceCore
import Glibc

/// The source (``MessageID``) of a log, drawn once and kept in the state directory beside the boot epoch.
///
/// As with the epoch, the name of an empty file is the number: `source-`, the log's name and 16 hexadecimal digits.
public enum LogSource {
    /// The source of the log of that name; drawn and made durable where there is none.
    ///
    /// `epoch` is what ``BootEpoch/next(in:)`` has given for the same directory. At 1 the epochs have begun anew: a
    /// source from before would find its new messages taken for old ones, so it is replaced.
    ///
    /// Blocks for a write of the directory; for one caller at a time. Throws `.permission` or `.io`.
    public static func load(
        _ name: String, epoch: UInt32, in directory: String
    ) throws(DeviceError) -> UInt64 {
        try StateDirectory.create(directory)
        let prefix = "source-\(name)-"
        let before = try StateDirectory.names(in: directory).compactMap { number(of: $0, prefix) }.sorted()
        if epoch > 1, let source = before.first { return source }
        let folder = try StoreFile(directory, flags: O_RDONLY | O_DIRECTORY)
        for old in before { try StoreFile.remove("\(directory)/\(prefix)\(digits(old))") }
        let source = UInt64.random(in: 1 ... .max)
        _ = try StoreFile("\(directory)/\(prefix)\(digits(source))", flags: O_WRONLY | O_CREAT | O_EXCL)
        try folder.syncDirectory()
        return source
    }

    private static func digits(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The number in a name; nil for names of other files.
    private static func number(of name: String, _ prefix: String) -> UInt64? {
        guard name.hasPrefix(prefix), let number = UInt64(name.dropFirst(prefix.count), radix: 16),
            prefix + digits(number) == name
        else { return nil }
        return number
    }
}
