public import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore

extension SMQClient {
    /// Connects and stays connected until the task is cancelled; then says goodbye and returns.
    ///
    /// Its streams of messages and events end with it.
    ///
    /// - Throws: ``DeviceError`` when going on is senseless: refused credentials or settings at the very first
    ///   attempt that reached a broker, another client that took over this one's unique id, or a client that runs
    ///   already.
    public func run() async throws(DeviceError) {
        guard beginRunning() else { throw DeviceError(.invalidArgument, "the client runs already") }
        defer {
            finishStreams()
            endRunning()
        }
        // A task of its own, so that it can close the outbox after the cancellation.
        let delivering = Task { await deliver() }
        let result = await connect()
        delivering.cancel()
        await delivering.value
        try result.get()
    }

    private func connect() async -> Result<Void, DeviceError> {
        do throws(DeviceError) { return .success(try await keepConnected()) } catch { return .failure(error) }
    }

    private func keepConnected() async throws(DeviceError) {
        guard !configuration.brokers.isEmpty else {
            throw DeviceError(.invalidArgument, "the client has no broker to connect to")
        }
        var random = SystemRandomNumberGenerator()
        var backOff = configuration.backOff
        var node = 0
        var wasEverConnected = false
        while !Task.isCancelled {
            let url = configuration.brokers[node % configuration.brokers.count]
            let start = ContinuousClock.now
            let sessionBefore = state.withLock { $0.session }
            let end = await attempt(url)
            if Task.isCancelled { return }
            let wasConnected = state.withLock { $0.session } != sessionBefore
            if end.isFinal(wasEverConnected: wasEverConnected || wasConnected) { throw end.error }
            wasEverConnected = wasEverConnected || wasConnected
            node += 1
            var wait = backOff.next(using: &random)
            if wasConnected, ContinuousClock.now - start >= configuration.stableAfter {
                // A good session was lost: another node is tried at once, with a little jitter for the herd.
                backOff.reset()
                wait = .milliseconds(Int.random(in: 0...50, using: &random))
            }
            send(
                .disconnected(
                    node: url.description, reason: end.error.message, hint: end.error.hint, retryIn: wait,
                    wasConnected: wasConnected))
            logger.debug("not connected", metadata: ["node": "\(url)", "reason": "\(end.error)"])
            try? await Task.sleep(for: wait)
        }
    }

    /// One attempt, and the session if there is one.
    private func attempt(_ url: BrokerURL) async -> SMQSessionEnd {
        let ended = eventLoop.makePromise(of: SMQSessionEnd.self)
        let channel: any Channel
        do {
            channel = try await TCPConnector.connect(
                to: url, timeout: configuration.connectTimeout, eventLoop: eventLoop,
                onRefusal: { ended.succeed(.failed($0)) },
                install: { [self] channel in
                    try channel.pipeline.syncOperations.addHandler(SMQSessionHandler(self, url: url, ended: ended))
                })
        } catch {
            ended.succeed(.failed(error))
            return .failed(error)
        }
        // A connection that ends before the session's handler came (a refused WebSocket) must not be waited for.
        channel.closeFuture.whenComplete { _ in ended.succeed(.lost) }
        return await withTaskCancellationHandler {
            (try? await ended.futureResult.get()) ?? .lost
        } onCancel: {
            sayGoodbye()
            channel.eventLoop.execute { channel.close(promise: nil) }
        }
    }
}
