import Glibc

/// What the numbers depend on besides the broker.
enum Machine {
    /// A small file's text, such as those below /proc.
    static func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Kernel, architecture, processor.
    static var description: String {
        var name = utsname()
        uname(&name)
        func string<Field>(_ field: Field) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        let model =
            (text("/proc/cpuinfo") ?? "").split(separator: "\n")
            .first { $0.hasPrefix("model name") || $0.hasPrefix("Model") }?
            .split(separator: ":").last.map { $0.drop { $0 == " " } } ?? "processor unknown"
        return
            "\(string(name.sysname)) \(string(name.release)) \(string(name.machine)), \(sysconf(CInt(_SC_NPROCESSORS_ONLN))) x \(model)"
    }

    /// The three load averages.
    static var load: String {
        (text("/proc/loadavg") ?? "unknown").split(separator: " ").prefix(3).joined(separator: " ")
    }

    /// The share of all processors that is busy, and that a hypervisor takes away, within half a second, in percent.
    static func busy() -> (busy: Double, stolen: Double) {
        func ticks() -> [Double] {
            (text("/proc/stat") ?? "").split(separator: "\n").first?.split(separator: " ").dropFirst().map {
                Double($0) ?? 0
            }
                ?? []
        }
        let before = ticks()
        Clock.sleep(seconds: 0.5)
        let spent = zip(ticks(), before).map { $0 - $1 }
        // user nice system idle iowait irq softirq steal; guest times are in the first two already.
        guard spent.count >= 8, spent[..<8].reduce(0, +) > 0 else { return (0, 0) }
        let total = spent[..<8].reduce(0, +)
        return ((total - spent[3] - spent[4]) / total * 100, spent[7] / total * 100)
    }

    /// Load and CPU use in one line.
    static var state: String {
        let (busy, stolen) = busy()
        return "load \(load), CPU busy \(busy.short) %, stolen \(stolen.short) %"
    }

    /// Resident memory of a process in kB.
    static func residentMemory(of pid: pid_t) -> Double? {
        (text("/proc/\(pid)/status") ?? "").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }?
            .split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Double($0) }
    }

    /// CPU time that a process has used, in seconds; its resolution is a hundredth.
    static func processorTime(of pid: pid_t) -> Double? {
        guard let stat = text("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[end...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return nil }
        return (user + system) / Double(sysconf(CInt(_SC_CLK_TCK)))
    }

    /// Raises the limit on open files as far as allowed.
    ///
    /// - Throws: a sentence when `count` connections do not fit.
    static func allowConnections(_ count: Int) throws {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        getrlimit(resource, &limit)
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            setrlimit(resource, &limit)
        }
        guard limit.rlim_cur >= rlim_t(count + 32) else {
            throw BenchError(
                "\(count) connections do not fit: the limit on open files is \(limit.rlim_cur). Raise it (ulimit -n) or use --connections"
            )
        }
    }
}
