import DeviceCore
import DeviceProtocols
import Logging
import NIOCore

/// The broker's state machine with its connections; belongs to one event loop.
final class SMQBrokerCore {
    typealias PeerID = SMQBrokerStateMachine.PeerID

    private var machine: SMQBrokerStateMachine
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let authenticate: SMQBroker.Authenticate?
    private var handlers: [PeerID: SMQBrokerHandler] = [:]
    private var ticking: RepeatedTask?
    private var isShutDown = false

    init(_ configuration: SMQBroker.Configuration, eventLoop: any EventLoop, logger: Logger) {
        machine = SMQBrokerStateMachine(
            limits: configuration.limits, authenticates: configuration.authenticate != nil,
            permit: configuration.permit)
        authenticate = configuration.authenticate
        self.eventLoop = eventLoop
        self.logger = logger
    }

    static var now: MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }

    // MARK: From the handlers

    func attach(_ handler: SMQBrokerHandler, framing: SMQFraming, address: String, url: String) -> PeerID? {
        guard !isShutDown, let id = machine.attach(framing: framing, address: address, url: url, now: Self.now) else {
            return nil
        }
        handlers[id] = handler
        return id
    }

    /// What a client is sent that finds no place.
    func refusal(framing: SMQFraming, address: String) -> ByteBuffer {
        var output = ByteBuffer()
        output.writeSMQInit(seed: 0, address: address, framing: framing)
        let reason =
            isShutDown || machine.isDraining ? "the broker ends" : "the broker has as many clients as it allows"
        output.writeSMQConnack(.unavailable, etid: 0, reason: reason, framing: framing)
        return output
    }

    func detach(_ id: PeerID) {
        handlers[id] = nil
        machine.detach(id)
        settle()
    }

    func receive(_ id: PeerID, _ bytes: ByteBuffer) {
        machine.receive(id, bytes, now: Self.now)
        performActions()
    }

    /// Writes what has gathered for whom, and does what is to be done.
    func settle() {
        // A write can make more work (a publisher goes on), never endless: each round needs new input.
        for id in machine.takeDirty() { write(to: id) }
        performActions()
    }

    func write(to id: PeerID) {
        guard let handler = handlers[id], handler.isWritable, let output = machine.takeOutput(id) else { return }
        handler.write(output)
    }

    /// What the receiver for which a publisher is held back has taken so far.
    func written(for publisher: PeerID) -> Int? {
        machine.receiver(holding: publisher).flatMap { handlers[$0]?.written }
    }

    /// A publisher has waited; whether it waits on.
    func continuesStall(_ publisher: PeerID, written: Int) -> Bool {
        machine.continuesStall(publisher, written: written)
    }

    // MARK: From the broker

    func startTicking() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(500), delay: .milliseconds(500)) { _ in
            let core = bound.value
            core.machine.tick(now: Self.now)
            core.settle()
        }
    }

    func snapshot() -> SMQBroker.Snapshot {
        SMQBroker.Snapshot(
            clients: machine.clientCount, topics: machine.topicCount, queuedBytes: machine.queuedByteCount,
            statistics: machine.statistics)
    }

    /// Asks clients to leave, each at its moment; the promise succeeds when all have gone.
    func drain(within time: Duration, _ isEmpty: EventLoopPromise<Void>) {
        machine.drain(within: time, now: Self.now)
        settle()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(5)) { task in
            let core = bound.value
            core.machine.askToLeave(now: Self.now)
            core.settle()
            guard core.handlers.isEmpty || core.isShutDown else { return }
            task.cancel()
            isEmpty.succeed(())
        }
    }

    func shutDown(reason: String) -> [EventLoopFuture<Void>] {
        ticking?.cancel()
        isShutDown = true
        let closing = handlers.values.compactMap(\.closeFuture)
        machine.shutDown(reason: reason)
        settle()
        return closing
    }

    // MARK: Actions

    private func performActions() {
        // Bounded: an action can lead to others only by ending one more of finitely many sessions.
        while true {
            let actions = machine.takeActions()
            if actions.isEmpty { return }
            for action in actions { perform(action) }
        }
    }

    private func perform(_ action: SMQBrokerStateMachine.Action) {
        switch action {
        case .pause(let id, let duration): handlers[id]?.pause(for: duration)
        case .resume(let id): handlers[id]?.resume()
        case .authenticate(let id, let request): ask(id, request)
        case .close(let id, let reason):
            if reason == .slowConsumer || reason == .queueMemory {
                logger.warning(
                    "client dropped",
                    metadata: ["reason": "\(reason.rawValue)", "address": "\(machine.address(of: id))"])
            } else {
                logger.debug("session ended", metadata: ["reason": "\(reason.rawValue)"])
            }
            handlers[id]?.close(after: machine.takeOutput(id), isPatient: reason.leavesTimeToRead)
        }
    }

    private func ask(_ id: PeerID, _ request: SMQConnectRequest) {
        guard let authenticate else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.makeFutureWithTask { await authenticate(request) }.whenSuccess { decision in
            bound.value.machine.complete(id, decision, now: Self.now)
            bound.value.settle()
        }
    }
}

extension SMQCloseReason {
    /// Whether a last message to the client has a chance to be read.
    var leavesTimeToRead: Bool {
        switch self {
        case .slowConsumer, .queueMemory, .pingTimeout, .connectionLost: false
        default: true
        }
    }
}
