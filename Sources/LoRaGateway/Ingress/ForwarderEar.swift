import DeviceCore
import DeviceTransport
import NIOCore
import NIOPosix
import UnixSignals

/// The program: a socket for forwarders, and what it hears printed.
struct ForwarderEar: Sendable {
    private let options: ForwarderEarOptions
    private let output: EventOutput<GatewayEvent>

    init(options: ForwarderEarOptions, write: @escaping @Sendable (String) -> Void = { StandardOutput.write($0) }) {
        self.options = options
        output = EventOutput<GatewayEvent>(isJSON: options.isJSON, write: write)
    }

    /// Serves until a signal or the end of `--for`.
    ///
    /// - Parameter giveUp: called when the summary could not be printed within two seconds, because whoever reads the
    ///   output has stopped to read.
    func run(giveUp: @escaping @Sendable () -> Void = {}) async throws(DeviceError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let receiver = GWMPIngressReceiver(
            table: GatewayTable(limit: options.maxGateways), clock: DeviceClock(ContinuousClock()), output: output)
        let listener = try await UDPListener.start(on: options.listen, eventLoop: group.next()) { receiver }
        output.report(.listening(listener.address, isLAN: options.isLAN))
        let printing = Task { [output] in await output.run() }

        let isLost = await waitForEnd(of: listener)
        await listener.close()
        output.report(.ended(receiver.summary))
        output.finish()
        let patience = Task {
            try await Task.sleep(for: .seconds(2))
            giveUp()
        }
        await printing.value
        patience.cancel()
        try? await group.shutdownGracefully()
        if isLost { throw DeviceError(.io, "the system took the UDP socket away", hint: "Start again") }
    }

    /// Returns true when the socket ended by itself.
    private func waitForEnd(of listener: UDPListener) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { break }
                return false
            }
            if let duration = options.duration {
                group.addTask {
                    try? await Task.sleep(for: duration)
                    return false
                }
            }
            group.addTask {
                // Not to be cancelled, but it ends with the socket.
                await listener.waitUntilClosed()
                return true
            }
            let isLost = await group.next() ?? false
            group.cancelAll()
            await listener.close()
            return isLost
        }
    }
}
