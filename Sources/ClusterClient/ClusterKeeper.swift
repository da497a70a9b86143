import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

/// What opens and closes connections for a ``ClusterKeeper``.
protocol ClusterConnections: AnyObject {
    func begin(_ attempt: UInt64, at endpoint: Endpoint, url: BrokerURL)
    func cancel(_ attempt: UInt64)
    func adopt(_ attempt: UInt64, replacing: UInt64?)
    func hold(_ attempt: UInt64)
    /// An attempt took too long.
    func gaveUp(_ endpoint: Endpoint, url: BrokerURL, _ phase: AttemptPhase)
    /// No name has an answer.
    func unresolved(_ error: DeviceError)
    /// There is no session for so long.
    func wait(_ time: Duration, _ reason: AttemptWait)
    func notice(_ text: String)
}

/// Runs a ``ClusterStateMachine`` on an event loop: its timer, its randomness and its questions to the DNS. It knows no
/// protocol.
final class ClusterKeeper {
    private(set) var machine: ClusterStateMachine
    private let brokers: [BrokerURL]
    private let service: String?
    private let resolver: NameResolver
    private let eventLoop: any EventLoop
    private weak var connections: (any ClusterConnections)?
    private var random = SystemRandomNumberGenerator()
    private var timer: Scheduled<Void>?
    private var timerAt = MonotonicTime.distantFuture
    /// Whether the timer waits once more, because this machine was late itself.
    private var isPardoning = false
    private var question: Task<Void, Never>?
    /// Counts questions, so that the end of one is not taken for that of the next.
    private var questions: UInt64 = 0
    /// Which of the configured addresses an endpoint came from.
    private var urls: [Endpoint: BrokerURL] = [:]
    /// Actions to be done; one can lead to the next while it is being done.
    private var actions: [ClusterAction] = []
    private var isPerforming = false

    init(_ configuration: SMQClientConfiguration, eventLoop: any EventLoop, connections: any ClusterConnections) {
        var settings = ClusterStateMachine.Settings()
        settings.attempts = configuration.attempts
        settings.keepsStandby = configuration.keepsStandby
        settings.policy = configuration.nodePolicy
        settings.drainTime = configuration.drainTime
        machine = ClusterStateMachine(settings)
        brokers = configuration.brokers
        service = configuration.service
        resolver = configuration.resolver ?? .shared
        self.eventLoop = eventLoop
        self.connections = connections
    }

    static var now: MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }

    func start() { perform(machine.start(at: Self.now, using: &random)) }

    func stop() {
        timer?.cancel()
        question?.cancel()
        perform(machine.stop())
    }

    // MARK: What connections report

    func connected(_ attempt: UInt64, isSecured: Bool) {
        machine.connected(attempt, isSecured: isSecured, at: Self.now)
        setTimer()
    }

    func secured(_ attempt: UInt64) {
        machine.secured(attempt, at: Self.now)
        setTimer()
    }

    func ready(_ attempt: UInt64) { perform(machine.ready(attempt, at: Self.now, using: &random)) }

    func failed(_ attempt: UInt64, _ failure: ClusterFailure) {
        perform(machine.failed(attempt, failure, at: Self.now, using: &random))
    }

    func askedToLeave(_ attempt: UInt64) { perform(machine.askedToLeave(attempt, at: Self.now, using: &random)) }

    func measured(roundTrip: Duration, of attempt: UInt64) { machine.measured(roundTrip: roundTrip, of: attempt) }

    /// Notes how nodes do; those that are not among the cluster's are passed over.
    func reported(_ reports: [SMQNodeReport]) {
        for report in reports {
            let endpoint: Endpoint? =
                switch report.place {
                case .own: machine.endpoint
                case .endpoint(let endpoint): endpoint
                case .address(let address): onlyEndpoint(at: address)
                }
            if let endpoint { machine.report(report.status, of: endpoint, at: Self.now) }
        }
    }

    private func onlyEndpoint(at address: IPAddress) -> Endpoint? {
        let endpoints = machine.endpoints.filter { $0.address == address }
        return endpoints.count == 1 ? endpoints.first : nil
    }

    // MARK: Doing

    private func perform(_ new: [ClusterAction]) {
        actions += new
        guard !isPerforming else { return }
        isPerforming = true
        while !actions.isEmpty { perform(actions.removeFirst()) }
        isPerforming = false
        setTimer()
    }

    private func perform(_ action: ClusterAction) {
        switch action {
        case .resolve(let refresh): resolve(refresh)
        case .begin(let attempt, let endpoint):
            guard let url = url(of: endpoint) else { return failed(attempt, .nobody) }
            connections?.begin(attempt, at: endpoint, url: url)
        case .cancel(let attempt): connections?.cancel(attempt)
        case .adopt(let attempt, _, let replacing): connections?.adopt(attempt, replacing: replacing)
        case .hold(let attempt, _): connections?.hold(attempt)
        case .gaveUp(let endpoint, let phase):
            guard let url = url(of: endpoint) else { return }
            connections?.gaveUp(endpoint, url: url, phase)
        case .wait(let time, let reason): connections?.wait(time, reason)
        case .notice(let text): connections?.notice(text)
        }
    }

    private func url(of endpoint: Endpoint) -> BrokerURL? { urls[endpoint] ?? brokers.first }

    private func setTimer() {
        let next = machine.nextDeadline
        // One that is early enough is left alone and looks again: an event loop searches all of its timers for one that
        // is cancelled, and thousands of clients may share a loop.
        if timer != nil, isPardoning || timerAt <= next { return }
        timer?.cancel()
        timer = nil
        timerAt = next
        guard next != .distantFuture else { return }
        schedule(in: max(.zero, next - Self.now))
    }

    private func schedule(in wait: Duration) {
        timer = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.wholeNanoseconds)) { [weak self] in
            self?.fire()
        }
    }

    /// Who comes late has been frozen or starved itself, and what it waits for may lie in a socket unread: it waits as
    /// long again, once. Else thousands of clients on a busy machine begin attempts for those that are about to
    /// succeed, which makes it busier, and none ever does.
    private func fire() {
        timer = nil
        let late = Self.now - timerAt
        if late > .milliseconds(50), !isPardoning {
            isPardoning = true
            return schedule(in: min(late, .seconds(2)))
        }
        isPardoning = false
        perform(machine.tick(at: Self.now, using: &random))
    }

    // MARK: Names

    private func resolve(_ refresh: Bool) {
        let targets = brokers.map { ResolverTarget($0.host, port: $0.port, service: service) }
        let keeper = NIOLoopBound(self, eventLoop: eventLoop)
        question?.cancel()
        questions += 1
        let number = questions
        question = Task { [resolver, eventLoop] in
            let answers: [Result<Resolution, DeviceError>] = await withTaskGroup { group in
                for (index, target) in targets.enumerated() {
                    group.addTask { () -> (Int, Result<Resolution, DeviceError>) in
                        do throws(DeviceError) {
                            return (index, .success(try await resolver.resolve(target, refresh: refresh)))
                        } catch {
                            // An older answer is better than none.
                            return (index, resolver.lastAnswer(for: target).map { .success($0) } ?? .failure(error))
                        }
                    }
                }
                var answers: [(Int, Result<Resolution, DeviceError>)] = []
                for await answer in group { answers.append(answer) }
                return answers.sorted { $0.0 < $1.0 }.map(\.1)
            }
            guard !Task.isCancelled else { return }
            eventLoop.execute { keeper.value.answered(number, answers) }
        }
    }

    private func answered(_ number: UInt64, _ answers: [Result<Resolution, DeviceError>]) {
        // A task that has ended keeps its memory as long as it is held.
        if number == questions { question = nil }
        var records: [ResolvedEndpoint] = []
        var timeLeft = Duration.seconds(3600)
        var isFresh = true
        var failure: DeviceError?
        for (broker, answer) in zip(brokers, answers) {
            switch answer {
            case .success(let resolution):
                for record in resolution.endpoints where !records.contains(where: { $0.endpoint == record.endpoint }) {
                    records.append(record)
                    urls[record.endpoint] = broker
                }
                timeLeft = min(timeLeft, resolution.timeLeft)
                if resolution.isStale { isFresh = false }
            case .failure(let error):
                failure = failure ?? error
                isFresh = false
                timeLeft = .seconds(1)
            }
        }
        if urls.count > 1_024 { urls = urls.filter { url in records.contains { $0.endpoint == url.key } } }
        if records.isEmpty {
            connections?.unresolved(failure ?? DeviceError(.notFound, "no broker has an address"))
            perform(machine.unresolved(at: Self.now, using: &random))
        } else {
            perform(
                machine.resolved(records, timeLeft: timeLeft, isFresh: isFresh, at: Self.now, using: &random))
        }
    }
}
