public import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

extension SMQClient {
    /// Connects and stays connected until the task is cancelled; then says goodbye and returns.
    ///
    /// Its streams of messages and events end with it, and its outbox is closed, durably.
    ///
    /// - Throws: ``DeviceError`` when going on is senseless: credentials or settings that are refused before there was
    ///   any session, another client that took over this one's unique id, or a client that runs already.
    public func run() async throws(DeviceError) {
        guard beginRunning() else { throw DeviceError(.invalidArgument, "the client runs already") }
        defer {
            finishStreams()
            endRunning()
        }
        guard !configuration.brokers.isEmpty else {
            throw DeviceError(.invalidArgument, "the client has no broker to connect to")
        }
        let isSecure = configuration.brokers.contains(where: \.isSecure)
        let tls = isSecure ? try TLSClientContext(configuration.tls, logger: logger) : nil
        beginDelivering()
        let ended = eventLoop.makePromise(of: DeviceError?.self)
        let connections = NIOLoopBoundBox<SMQConnections?>.makeEmptyBox(
            valueType: SMQConnections.self, eventLoop: eventLoop)
        let error = await withTaskCancellationHandler {
            eventLoop.execute {
                let new = SMQConnections(self, tls: tls, ended: ended)
                connections.value = new
                new.start()
            }
            // A task that was cancelled before this has called the handler already, when there was nothing to stop.
            if Task.isCancelled { eventLoop.execute { connections.value?.stop() } }
            return (try? await ended.futureResult.get()) ?? nil
        } onCancel: {
            eventLoop.execute { connections.value?.stop() }
        }
        await stopDelivering()
        if let error, !Task.isCancelled { throw error }
    }
}

extension SMQClientConfiguration {
    /// What one session needs.
    func session(with url: BrokerURL) -> SMQClientStateMachine.Configuration {
        var configuration = SMQClientStateMachine.Configuration(uid: uid)
        configuration.sendsHTTPRequest = url.framing == .raw
        configuration.host = url.authority
        configuration.path = url.path
        configuration.information = information
        // The attempt's own deadline ends it before; this one only makes sure.
        configuration.handshake = attempts.handshakeDeadline * 2
        configuration.pingAfter = liveness.pingAfter
        configuration.pingTimeout = liveness.pingTimeout
        return configuration
    }
}
