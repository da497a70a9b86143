import DeviceCore

/// The files of a ``Deduplicator``: a snapshot of all windows, and a journal of messages completed since.
///
/// Reading a message twice changes nothing, so it does no harm when a crash leaves both the new snapshot and the
/// journal that went into it.
final class DeduplicatorStore {
    private let directory: StateDirectory
    private let snapshot: EntryJournal
    private let journal: EntryJournal
    /// The journal misses something, so the next write has to be a snapshot.
    private(set) var needsSnapshot = false
    let damaged: UInt64

    /// Opens the files and fills the memory with what they say.
    init(directory path: String, state: inout DeduplicatorState, calls: FileCalls) throws(DeviceError) {
        directory = try StateDirectory(path)
        var found = state
        snapshot = try EntryJournal("windows", payload: 28 + SequenceWindow.size / 8, in: directory, calls: calls) {
            entry in
            guard let source: UInt64 = entry.bigEndian(at: 0), let epoch: UInt32 = entry.bigEndian(at: 8),
                let lowest: UInt64 = entry.bigEndian(at: 12), let highest: UInt64 = entry.bigEndian(at: 20)
            else { return }
            let bits = (0..<SequenceWindow.size / 64).compactMap { entry.bigEndian(at: 28 + $0 * 8, as: UInt64.self) }
            guard let window = SequenceWindow(lowest: lowest, highest: highest, bits: bits) else { return }
            found.restore(.init(source: source, epoch: epoch), window)
        }
        journal = try EntryJournal("seen", payload: 20, in: directory, calls: calls) { entry in
            guard let source: UInt64 = entry.bigEndian(at: 0), let epoch: UInt32 = entry.bigEndian(at: 8),
                let sequence: UInt64 = entry.bigEndian(at: 12)
            else { return }
            _ = found.insert(MessageID(source: source, epoch: epoch, sequence: sequence))
        }
        damaged = snapshot.damaged + journal.damaged
        // What kill -9 left in the kernel's memory counts as durable from here on.
        try journal.sync(all: true)
        try directory.sync()
        state = found
    }

    var journalBytes: Int64 { journal.bytes }

    /// Adds messages, durably.
    func append(_ messages: [MessageID]) throws(DeviceError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(messages.count * 24)
        for message in messages {
            journal.encode(into: &bytes) {
                $0.appendBigEndian(message.source)
                $0.appendBigEndian(message.epoch)
                $0.appendBigEndian(message.sequence)
            }
        }
        // Until both calls have succeeded nobody knows what the file has: a sync that failed may not be repeated.
        needsSnapshot = true
        try journal.append(bytes)
        try journal.sync()
        needsSnapshot = false
    }

    /// Replaces everything by the state, durably.
    func write(_ state: DeduplicatorState) throws(DeviceError) {
        needsSnapshot = true
        var bytes: [UInt8] = []
        for (stream, window) in state.windows {
            snapshot.encode(into: &bytes) {
                $0.appendBigEndian(stream.source)
                $0.appendBigEndian(stream.epoch)
                $0.appendBigEndian(window.lowest)
                $0.appendBigEndian(window.highest)
                for word in window.bits { $0.appendBigEndian(word) }
            }
        }
        try snapshot.replace(with: bytes)
        try journal.removeAll()
        needsSnapshot = false
    }
}
