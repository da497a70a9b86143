import DeviceCore
import Glibc

/// A file of entries of one size, each with its own CRC, so that a damaged entry costs no other one.
///
/// For what may be added to in any order and twice: acknowledged ranges, messages seen, windows.
final class EntryJournal {
    private let directory: StateDirectory
    private let name: String
    private let payload: Int
    private let seed: UInt32
    private let calls: FileCalls
    private var file: StoreFile
    /// Bytes of whole entries.
    private(set) var bytes: Int64
    /// Entries found damaged when it was opened.
    private(set) var damaged: UInt64 = 0
    /// Something was written since the last sync.
    private(set) var isDirty = false

    /// Bytes of an entry in the file.
    private var stride: Int { payload + 4 }

    /// Opens or makes the file and gives every undamaged entry to `body`, in order.
    ///
    /// A torn entry at the end is cut off. What an interrupted ``replace(with:)`` left behind is removed.
    init(
        _ name: String, payload: Int, in directory: StateDirectory, calls: FileCalls,
        _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(DeviceError) {
        self.directory = directory
        self.name = name
        self.payload = payload
        self.calls = calls
        // Another kind of entry does not pass for one of these, nor do zeros.
        seed = CRC32C.of(name.utf8)
        try StoreFile.remove(directory.file(name + ".new"))
        file = try StoreFile(directory.file(name), flags: O_RDWR | O_CREAT, calls: calls)
        let size = try file.size()
        bytes = size - size % Int64(payload + 4)
        load(body)
        // That a torn end cannot be cut does no harm: the next entry is written over it.
        if size != bytes { try? file.truncate(to: bytes) }
    }

    private func load(_ body: (UnsafeRawBufferPointer) -> Void) {
        var buffer = [UInt8](repeating: 0, count: stride * max(1, 65536 / stride))
        var offset: Int64 = 0
        while offset < bytes {
            let want = Int(min(Int64(buffer.count), bytes - offset))
            guard let got = try? file.read(into: &buffer, limit: want, at: offset), got >= stride else {
                // A page that the disk cannot read costs the entries that touch it.
                let page = (offset / 4096 + 1) * 4096
                let next = (page + Int64(stride) - 1) / Int64(stride) * Int64(stride)
                damaged += UInt64((next - offset) / Int64(stride))
                offset = next
                continue
            }
            buffer.withUnsafeBytes { bytes in
                for start in Swift.stride(from: 0, through: got - stride, by: stride) {
                    let entry = UnsafeRawBufferPointer(rebasing: bytes[start..<start + payload])
                    var crc = CRC32C(continuing: seed)
                    crc.update(entry)
                    if crc.value == bytes.bigEndian(at: start + payload) { body(entry) } else { damaged += 1 }
                }
            }
            offset += Int64(got - got % stride)
        }
    }

    /// Appends an entry of ``payload`` bytes to a buffer for ``append(_:)`` or ``replace(with:)``.
    func encode(into buffer: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        let start = buffer.count
        body(&buffer)
        var crc = CRC32C(continuing: seed)
        buffer.withUnsafeBytes { crc.update(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        buffer.appendBigEndian(crc.value)
    }

    /// Adds encoded entries, all or none.
    func append(_ entries: [UInt8]) throws(DeviceError) {
        guard !entries.isEmpty else { return }
        try file.write(entries, at: bytes)
        bytes += Int64(entries.count)
        isDirty = true
    }

    /// Makes durable what was added; what was there at the opening too when `all` is true.
    func sync(all: Bool = false) throws(DeviceError) {
        guard isDirty || all else { return }
        try file.sync()
        isDirty = false
    }

    /// Replaces all entries, durably. After kill -9 or power failure the file has either the old or the new ones.
    ///
    /// When it throws, either may be in place.
    func replace(with entries: [UInt8]) throws(DeviceError) {
        let path = directory.file(name + ".new")
        let new = try StoreFile(path, flags: O_RDWR | O_CREAT | O_TRUNC, calls: calls)
        try new.write(entries, at: 0)
        try new.sync()
        guard rename(path, directory.file(name)) == 0 else {
            throw StoreFile.error("replace", directory.file(name), errno)
        }
        file = new
        bytes = Int64(entries.count)
        try directory.sync()
        isDirty = false
    }

    /// Removes all entries.
    func removeAll() throws(DeviceError) {
        try file.truncate(to: 0)
        bytes = 0
        isDirty = false
    }
}
