import CLuaShim
import DeviceCore
import Glibc

/// What other threads want an app's thread to do.
final class LuaMailbox: Sendable {
    typealias Message = @Sendable (LuaContext) -> Void

    private struct State {
        var events: [Message] = []
        var replies: [Message] = []
        var commands: [@Sendable (LuaAppThread) -> Void] = []
        var dropped: UInt64 = 0
        var isClosed = false
    }

    private let state = Locked(State())
    private let limit: Int
    /// Readable when there is something.
    let wakeFile: Int32

    init(limit: Int) throws(DeviceError) {
        self.limit = limit
        wakeFile = clua_wake_new()
        guard wakeFile >= 0 else { throw DeviceError(.io, "cannot make an eventfd: \(SystemError.text(errno))") }
    }

    deinit { Glibc.close(wakeFile) }

    /// Events beyond the limit are dropped and counted: false then.
    @discardableResult
    func post(_ message: @escaping Message) -> Bool {
        let wakes: Bool? = state.withLock { state in
            if state.isClosed { return nil }
            guard state.events.count < limit else {
                state.dropped += 1
                return nil
            }
            state.events.append(message)
            return state.events.count == 1
        }
        if wakes == true { clua_wake_signal(wakeFile) }
        return wakes != nil
    }

    /// What a script waits for is never dropped: there are no more of these than waiting scripts.
    func reply(_ message: @escaping Message) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.replies.append(message) }
            return state.isClosed
        }
        if !isClosed { clua_wake_signal(wakeFile) }
    }

    private static let maximumCommands = 65536

    /// A command of the host to the thread; false when it has ended, or when far too many wait.
    @discardableResult
    func command(_ command: @escaping @Sendable (LuaAppThread) -> Void) -> Bool {
        let isClosed = state.withLock { state in
            guard !state.isClosed, state.commands.count < Self.maximumCommands else { return true }
            state.commands.append(command)
            return false
        }
        if !isClosed { clua_wake_signal(wakeFile) }
        return !isClosed
    }

    /// Lets the thread look at its timers.
    func wake() { clua_wake_signal(wakeFile) }

    /// Takes what waits, replies before events.
    func take() -> (commands: [@Sendable (LuaAppThread) -> Void], messages: [Message]) {
        state.withLock { state in
            defer {
                state.commands = []
                state.replies = []
                state.events = []
            }
            return (state.commands, state.replies.isEmpty ? state.events : state.replies + state.events)
        }
    }

    /// Nothing comes in from now on. What waits is given back.
    func close() -> [@Sendable (LuaAppThread) -> Void] {
        state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Events that were dropped because the app's thread was too slow for them.
    var dropped: UInt64 { state.withLock { $0.dropped } }
}
