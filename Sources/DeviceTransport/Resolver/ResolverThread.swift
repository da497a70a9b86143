import CNetShim
import DeviceCore
import DeviceProtocols
import Glibc

/// The thread that owns c-ares and reads the hosts file. Its members are used by that thread alone.
final class ResolverThread {
    private typealias Question = (name: String, type: DNSRecordType, search: Bool)

    private let core: ResolverCore
    private let wake: Int32
    private var dns: OpaquePointer?
    /// Questions that c-ares works on.
    private var questions: [UInt64: Question] = [:]
    /// Questions that ended because resolv.conf changed, to be asked of the new servers.
    private var again: [UInt64: Question] = [:]
    private var isChanging = false
    private var resolvConf: FileStamp?

    init(_ core: ResolverCore, wake: Int32) {
        self.core = core
        self.wake = wake
    }

    func run() {
        cnet_thread_prepare("resolver")
        while let (work, deadline) = next() {
            if !work.isEmpty { openIfNeeded() }
            for item in work {
                switch item {
                case .readHosts(let flight, let name): readHosts(flight, name)
                case .ask(let id, let name, let type, let search): ask(id, (name, type, search))
                }
            }
            if work.isEmpty { wait(until: deadline) }
            core.perform { state, now in
                state.machine.nextDeadline <= now ? state.machine.tick(at: now) : []
            }
        }
        cnet_dns_free(dns)
        core.threadEnded()
    }

    /// The work that waits and the time to be awake at; nil at the end.
    private func next() -> ([ResolverCore.Work], MonotonicTime)? {
        core.state.withLock { state in
            if state.isEnding { return nil }
            defer { state.work = [] }
            return (state.work, state.machine.nextDeadline)
        }
    }

    private func wait(until deadline: MonotonicTime) {
        let left = (deadline - core.now).wholeNanoseconds
        let milliseconds = deadline == .distantFuture ? -1 : Int32(clamping: max(0, (left + 999_999) / 1_000_000))
        let result: Int32
        if let dns {
            result = cnet_dns_wait(dns, wake, milliseconds)
        } else {
            // c-ares could not be started: what was asked has failed already.
            var poll = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
            result = Glibc.poll(&poll, 1, milliseconds)
        }
        if result > 0 { cnet_wake_clear(wake) }
        // Without memory or files: not at full speed.
        if result < 0, errno != EINTR { usleep(50_000) }
    }

    private func readHosts(_ flight: UInt64, _ name: String) {
        let path = core.configuration.hostsFile
        let file = path.isEmpty ? nil : try? SystemFile.read(path, limit: FileStamp(path)?.readLimit ?? 0)
        let addresses = file.map { HostsFile.addresses(of: name, in: $0) } ?? []
        core.perform { state, now in state.machine.hosts(flight: flight, addresses: addresses, at: now) }
    }

    private func ask(_ id: UInt64, _ question: Question) {
        guard let dns else { return answered(id, CNET_DNS_OTHER, []) }
        questions[id] = question
        cnet_dns_query(dns, id, question.name, question.type.rawValue, question.search ? 1 : 0)
    }

    /// Starts c-ares, and anew when resolv.conf has changed, as after a network came up.
    private func openIfNeeded() {
        let configuration = core.configuration
        if let servers = configuration.servers {
            if dns == nil { dns = open(servers.map(\.description).joined(separator: ",")) }
            return
        }
        let stamp = FileStamp(configuration.resolvConf)
        guard dns == nil || stamp != resolvConf else { return }
        resolvConf = stamp
        isChanging = true
        cnet_dns_free(dns)
        isChanging = false
        dns = open(nil)
        let waiting = again
        again = [:]
        for (id, question) in waiting { ask(id, question) }
    }

    private func open(_ servers: String?) -> OpaquePointer? {
        let configuration = core.configuration
        let timeout = Int32(clamping: max(1, configuration.timeout.wholeNanoseconds / 1_000_000))
        return cnet_dns_new(
            servers, configuration.resolvConf, UInt16(clamping: configuration.port), timeout,
            Int32(clamping: configuration.tries),
            { context, id, status, bytes, count in
                guard let context else { return }
                let thread = Unmanaged<ResolverThread>.fromOpaque(context).takeUnretainedValue()
                thread.answered(id, status, Array(UnsafeBufferPointer(start: bytes, count: bytes == nil ? 0 : count)))
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func answered(_ id: UInt64, _ status: cnet_dns_status, _ bytes: [UInt8]) {
        let question = questions.removeValue(forKey: id)
        if status == CNET_DNS_ENDED {
            if isChanging, let question { again[id] = question }
            return
        }
        let answer = bytes.isEmpty ? nil : DNSAnswer(message: bytes)
        let result: Result<DNSAnswer, DNSFailure> =
            switch status {
            case CNET_DNS_ANSWER: answer.map(Result.success) ?? .failure(.malformed)
            case CNET_DNS_NO_DATA: .failure(.noData)
            case CNET_DNS_NO_NAME: .failure(.noSuchName)
            case CNET_DNS_FAILED: .failure(.serverFailure)
            case CNET_DNS_REFUSED: .failure(.refused)
            case CNET_DNS_UNREACHABLE: .failure(.unreachable)
            case CNET_DNS_TIMEOUT: .failure(.timedOut)
            case CNET_DNS_MALFORMED: .failure(.malformed)
            default: .failure(.local)
            }
        core.perform { state, now in
            state.machine.answered(
                question: id, result, negativeTimeToLive: answer?.negativeTimeToLive, at: now)
        }
    }
}

/// What tells one version of a file from another.
private struct FileStamp: Equatable {
    private let seconds: Int
    private let nanoseconds: Int
    private let size: Int
    private let inode: UInt64

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        seconds = Int(status.st_mtim.tv_sec)
        nanoseconds = Int(status.st_mtim.tv_nsec)
        size = Int(status.st_size)
        inode = UInt64(status.st_ino)
    }

    /// The file's size within reason: a buffer of that size is made.
    var readLimit: Int { min(max(size, 0), 4 << 20) }
}
