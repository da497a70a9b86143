public import DeviceCore
import Glibc

/// The source (``MessageID``) of a log, drawn once and kept in the state directory beside the boot epoch.
///
/// As with the epoch, the name of an empty file is the number: `source-`, the log's name and 16 hexadecimal digits. It is
/// followed by a `-` and 16 digits that stand for the machine it was drawn on.
public enum LogSource {
    /// The source of the log of that name; drawn and made durable where there is none.
    ///
    /// `epoch` is what ``BootEpoch/next(in:)`` has given for the same directory. At 1 the epochs have begun anew: a
    /// source from before would find its new messages taken for old ones, so it is replaced.
    /// So is one that was drawn on another machine: the directory was copied, as part of a card's image, and the
    /// original may still be in use. What waits in the log is then sent under the new source; where the original has
    /// sent it too, it arrives twice.
    ///
    /// Blocks for a write of the directory; for one caller at a time. Throws `.permission` or `.io`.
    public static func load(
        _ name: String, epoch: UInt32, in directory: String
    ) throws(DeviceError) -> UInt64 {
        try load(name, epoch: epoch, in: directory, machine: MachineMark.current())
    }

    static func load(
        _ name: String, epoch: UInt32, in directory: String, machine: UInt64
    ) throws(DeviceError) -> UInt64 {
        try StateDirectory.create(directory)
        let prefix = "source-\(name)-"
        let before = try StateDirectory.names(in: directory).filter { $0.hasPrefix(prefix) }.sorted()
        let own = before.compactMap { number(of: $0, prefix, machine) }
        if epoch > 1, let source = own.first { return source }
        let folder = try StoreFile(directory, flags: O_RDONLY | O_DIRECTORY)
        for old in before { try StoreFile.remove("\(directory)/\(old)") }
        let source = UInt64.random(in: 1 ... .max)
        _ = try StoreFile(
            "\(directory)/\(prefix)\(digits(source))-\(digits(machine))", flags: O_WRONLY | O_CREAT | O_EXCL)
        try folder.syncDirectory()
        return source
    }

    private static func digits(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The number in a name; nil for names of other files, and of other machines' sources.
    private static func number(of name: String, _ prefix: String, _ machine: UInt64) -> UInt64? {
        guard let number = UInt64(name.dropFirst(prefix.count).prefix(16), radix: 16),
            "\(prefix)\(digits(number))-\(digits(machine))" == name
        else { return nil }
        return number
    }
}
