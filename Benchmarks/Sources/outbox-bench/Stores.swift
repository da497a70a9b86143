import CSQLite
import Outbox

/// Where records are appended durably.
protocol Store {
    static var name: String { get }
    static func open(_ directory: String) async throws -> Self
    /// Appends records and returns when all of them are on the disk.
    func append(_ payload: [UInt8], count: Int) async throws
    func close() async throws
}

/// The outbox's log.
struct LogStore: Store {
    static let name = "outbox"
    let log: OutboxLog

    static func open(_ directory: String) async throws -> LogStore {
        var configuration = OutboxConfiguration()
        configuration.maximumBytes = 1 << 34
        // Only when asked, as SQLite commits when told to.
        configuration.commit = GroupCommit(records: 1_000_000, interval: .seconds(3600))
        return LogStore(log: try await OutboxLog.open(directory: directory, epoch: 1, configuration: configuration))
    }

    func append(_ payload: [UInt8], count: Int) async throws {
        var last: RecordID?
        for _ in 0..<count { last = try log.appendNow(payload) }
        if let last { try await log.durable(last) }
    }

    func close() async throws { try await log.close() }
}

/// A table of SQLite in WAL mode, synchronous=FULL: each commit is on the disk.
final class SQLiteStore: Store {
    static let name = "SQLite \(String(cString: sqlite3_libversion())), WAL, FULL"
    private let database: OpaquePointer
    private let insert: OpaquePointer

    private init(database: OpaquePointer, insert: OpaquePointer) {
        self.database = database
        self.insert = insert
    }

    static func open(_ directory: String) async throws -> SQLiteStore {
        var database: OpaquePointer?
        guard sqlite3_open(directory + "/records.db", &database) == SQLITE_OK, let database else {
            throw BenchError("SQLite cannot open a database in \(directory)")
        }
        try execute("PRAGMA journal_mode=WAL", database)
        try execute("PRAGMA synchronous=FULL", database)
        try execute(
            "CREATE TABLE records (sequence INTEGER PRIMARY KEY, expires INTEGER NOT NULL, payload BLOB NOT NULL)",
            database)
        var insert: OpaquePointer?
        let text = "INSERT INTO records (expires, payload) VALUES (0, ?)"
        guard sqlite3_prepare_v2(database, text, -1, &insert, nil) == SQLITE_OK, let insert else {
            throw BenchError("SQLite: \(String(cString: sqlite3_errmsg(database)))")
        }
        return SQLiteStore(database: database, insert: insert)
    }

    func append(_ payload: [UInt8], count: Int) async throws {
        try Self.execute("BEGIN", database)
        for _ in 0..<count {
            // The bytes outlive the step, so SQLite need not copy them: a nil destructor is SQLITE_STATIC.
            let result = payload.withUnsafeBytes { bytes in
                sqlite3_bind_blob(insert, 1, bytes.baseAddress, Int32(bytes.count), nil)
                return sqlite3_step(insert)
            }
            guard result == SQLITE_DONE else {
                throw BenchError("SQLite: \(String(cString: sqlite3_errmsg(database)))")
            }
            sqlite3_reset(insert)
        }
        try Self.execute("COMMIT", database)
    }

    func close() async throws {
        sqlite3_finalize(insert)
        sqlite3_close(database)
    }

    private static func execute(_ text: String, _ database: OpaquePointer) throws {
        guard sqlite3_exec(database, text, nil, nil, nil) == SQLITE_OK else {
            throw BenchError("SQLite, \(text): \(String(cString: sqlite3_errmsg(database)))")
        }
    }
}
