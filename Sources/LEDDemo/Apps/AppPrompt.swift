import DeviceCore
import DeviceLua
import Glibc
import Synchronization

/// `--repl`: lines of standard input are run in an app, and what they give is printed.
final class AppPrompt: Sendable {
    /// A longer line is no line of a prompt.
    private static let lineLimit = 4096

    private let app: LuaApp
    private let lines = BoundedStream<String>(limit: 64)
    private let isStopping = Atomic(false)
    private let isTerminal = isatty(STDIN_FILENO) == 1

    init(_ app: LuaApp) { self.app = app }

    /// Runs lines until the input or the task ends.
    func run() async {
        guard SystemThread.tryDetach({ [self] in read() }) else { return }
        show("")
        await withTaskCancellationHandler {
            for await line in lines {
                let text = line.isEmpty ? "" : await answer(line)
                show(text)
            }
        } onCancel: {
            isStopping.store(true, ordering: .relaxed)
        }
    }

    private func answer(_ line: String) async -> String {
        do throws(DeviceError) { return try await app.evaluate(line) } catch { return error.description }
    }

    /// What comes from a script cannot steer the terminal.
    private func show(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable }
        StandardOutput.write(
            (text.isEmpty ? "" : lines.joined(separator: "\n") + "\n") + (isTerminal ? "\(app.name)> " : ""))
    }

    private func read() {
        var poller = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        var buffer = [UInt8](repeating: 0, count: 1024)
        var waiting: [UInt8] = []
        defer { lines.finish() }
        while !isStopping.load(ordering: .relaxed) {
            guard poll(&poller, 1, 100) > 0 else { continue }
            let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, [EINTR, EAGAIN].contains(errno) { continue }
            guard count > 0 else { return }
            waiting += buffer[..<count]  // safe: read gives no more than there is room
            while let end = waiting.firstIndex(of: UInt8(ascii: "\n")) {
                lines.send(String(decoding: waiting[..<end], as: UTF8.self).trimmed)
                waiting.removeFirst(end + 1)
            }
            if waiting.count > Self.lineLimit { waiting = [] }
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        let isBlank = { (character: Character) in character == " " || character == "\t" || character == "\r" }
        guard let start = firstIndex(where: { !isBlank($0) }), let end = lastIndex(where: { !isBlank($0) }) else {
            return ""
        }
        return String(self[start...end])
    }
}
