import CLuaShim
import DeviceCore
import Glibc

/// Tells apps which of their files were saved: one thread with inotify for all of them.
///
/// Editors write a file in several steps; what changes is told once nothing has changed for a while.
final class LuaWatcher: Sendable {
    private struct Directory {
        weak var app: LuaApp?
        let path: String
        /// Relative to the app's root: empty, or with a slash at its end.
        let prefix: String
    }

    private struct State {
        var directories: [Int32: Directory] = [:]
        var isStopped = false
        var isStarted = false
    }

    private static let maximumDirectories = 512
    private static let quiet: Int32 = 120
    private let state = Locked(State())
    private let file: Int32
    private let wake: Int32

    init?() {
        file = clua_watch_new()
        wake = clua_wake_new()
        if file < 0 || wake < 0 { return nil }
    }

    deinit {
        close(file)
        close(wake)
    }

    /// Watches a directory and what is below it.
    func watch(_ root: String, for app: LuaApp) {
        add(root, "", app, depth: 8)
        let starts = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted
        }
        if starts { LuaThread.start("lua-watcher") { self.run() } }
    }

    func forget(_ app: LuaApp) {
        state.withLock { state in
            for (watch, directory) in state.directories where directory.app === app {
                inotify_rm_watch(file, watch)
                state.directories[watch] = nil
            }
        }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        clua_wake_signal(wake)
    }

    private func add(_ path: String, _ prefix: String, _ app: LuaApp, depth: Int) {
        let watch = clua_watch_add(file, path)
        guard watch >= 0, depth > 0 else { return }
        let hasRoom = state.withLock { state in
            guard state.directories.count < Self.maximumDirectories else { return false }
            state.directories[watch] = Directory(app: app, path: path, prefix: prefix)
            return true
        }
        guard hasRoom else { return }
        for name in SystemFile.names(in: path) where name == ".lua" || !name.hasPrefix(".") {
            var status = stat()
            let child = path + "/" + name
            guard lstat(child, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { continue }
            add(child, prefix + name + "/", app, depth: depth - 1)
        }
    }

    private final class Changes {
        var seen: [(watch: Int32, name: String)] = []
    }

    private func run() {
        var changed: [ObjectIdentifier: (app: LuaApp, paths: Set<String>)] = [:]
        while !state.withLock({ $0.isStopped }) {
            var polls = [
                pollfd(fd: file, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polls, 2, changed.isEmpty ? -1 : Self.quiet)
            if ready == 0 {
                for (app, paths) in changed.values { app.filesChanged(paths.sorted()) }
                changed = [:]
                continue
            }
            let changes = Changes()
            let isGood = clua_watch_read(
                file,
                { context, watch, name in
                    guard let context, let name else { return }
                    Unmanaged<Changes>.fromOpaque(context).takeUnretainedValue().seen
                        .append((watch, String(cString: name)))
                }, Unmanaged.passUnretained(changes).toOpaque())
            for (watch, name) in changes.seen {
                let known = state.withLock { state in
                    state.directories[watch].flatMap { directory in
                        directory.app.map { (app: $0, path: directory.path, prefix: directory.prefix) }
                    }
                }
                guard let known, !name.isEmpty else { continue }
                changed[ObjectIdentifier(known.app), default: (known.app, [])].paths.insert(known.prefix + name)
                // A new directory: what is in it is new too.
                add(known.path + "/" + name, known.prefix + name + "/", known.app, depth: 7)
            }
            if isGood != 0 { return }
        }
    }
}
