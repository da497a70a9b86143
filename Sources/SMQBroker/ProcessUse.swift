import DeviceCore
import DeviceProtocols
import Glibc

/// This process's share of a processor and its memory.
struct ProcessUse {
    /// Thousandths of one processor, between the last two samples that were half a second apart.
    private(set) var processor: UInt16 = 0
    /// Resident bytes.
    private(set) var memory: UInt64 = 0
    /// Thousandths of the machine's memory that are in use, by whatever process; 0 where the kernel does not tell.
    private(set) var memoryShare: UInt16 = 0
    private var last: (time: MonotonicTime, used: Int64)?

    /// Looks at the process. Cheap enough for twice a second; more often it does nothing.
    mutating func sample(now: MonotonicTime) {
        if let last, now - last.time < .milliseconds(500) { return }
        var usage = rusage()
        guard getrusage(RUSAGE_SELF.rawValue, &usage) == 0 else { return }
        let used = usage.ru_utime.nanoseconds &+ usage.ru_stime.nanoseconds
        if let last {
            let passed = (now - last.time).wholeNanoseconds
            if passed > 0 { processor = UInt16(clamping: (used - last.used) / max(1, passed / 1000)) }
        }
        last = (now, used)
        let pages = (try? SystemFile.text("/proc/self/statm"))?.split(separator: " ").dropFirst().first
        memory = (pages.flatMap { UInt64($0) } ?? 0) &* UInt64(clamping: sysconf(Int32(_SC_PAGESIZE)))
        memoryShare = Self.memoryShare((try? SystemFile.text("/proc/meminfo")) ?? "")
    }

    /// From the text of /proc/meminfo. What is available counts what the kernel would give back, such as its cache.
    static func memoryShare(_ text: String) -> UInt16 {
        func kilobytes(_ key: String) -> Double? {
            let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
            return line?.split(separator: " ").dropFirst().first.flatMap { Double($0) }
        }
        guard let total = kilobytes("MemTotal:"), let available = kilobytes("MemAvailable:"), total > 0 else {
            return 0
        }
        return UInt16(min(max(1 - available / total, 0), 1) * 1000)  // safe: within 0 to 1,000
    }
}

extension timeval {
    fileprivate var nanoseconds: Int64 { Int64(tv_sec) &* 1_000_000_000 &+ Int64(tv_usec) &* 1000 }
}

/// Messages a second over the last few seconds.
struct RateMeter {
    private var samples: [(time: MonotonicTime, received: UInt64, delivered: UInt64)] = []

    /// Looks at the counters. Call it about twice a second.
    mutating func sample(_ statistics: SMQBrokerStatistics, now: MonotonicTime) {
        samples.append((now, statistics.messagesReceived, statistics.messagesDelivered))
        if samples.count > 7 { samples.removeFirst() }
    }

    /// The rates.
    var perSecond: (received: Double, delivered: Double) {
        guard let first = samples.first, let last = samples.last, last.time > first.time else { return (0, 0) }
        let seconds = Double((last.time - first.time).wholeNanoseconds) / 1e9
        return (
            Double(last.received &- first.received) / seconds, Double(last.delivered &- first.delivered) / seconds
        )
    }
}
