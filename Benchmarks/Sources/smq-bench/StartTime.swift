import Glibc

/// How long a program takes from its start to a line on its standard output.
struct StartTime {
    var milliseconds: Double
    /// Resident memory two seconds later, in kB.
    var memory: Double?

    /// Starts the program, waits for a line that holds `text`, and ends the program.
    static func measure(_ command: [String], until text: String) throws -> StartTime {
        var ends: [CInt] = [0, 0]
        guard pipe(&ends) == 0 else { throw BenchError.system("a pipe") }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let begin = Clock.now
        let result = posix_spawn(&pid, command[0], &actions, nil, &arguments, environ)
        close(ends[1])
        guard result == 0 else {
            throw BenchError("\(command[0]) cannot be started: \(String(cString: strerror(result)))")
        }
        defer { end(pid) }
        var seen = ""
        while !seen.contains(text) {
            var poll = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
            var bytes = [UInt8](repeating: 0, count: 4096)
            guard Glibc.poll(&poll, 1, 10_000) > 0, case let count = read(ends[0], &bytes, bytes.count), count > 0
            else {
                throw BenchError("\(command[0]) did not print \"\(text)\" within 10 s")
            }
            seen += String(decoding: bytes[..<count], as: UTF8.self)
        }
        let time = Double(Clock.now - begin) / 1e6
        Clock.sleep(seconds: 2)
        return StartTime(milliseconds: time, memory: Machine.residentMemory(of: pid))
    }

    /// Asks the program to end, and ends it after three seconds.
    private static func end(_ pid: pid_t) {
        kill(pid, SIGTERM)
        for _ in 0..<30 {
            var status: CInt = 0
            if waitpid(pid, &status, WNOHANG) == pid { return }
            Clock.sleep(seconds: 0.1)
        }
        kill(pid, SIGKILL)
        var status: CInt = 0
        waitpid(pid, &status, 0)
    }
}
