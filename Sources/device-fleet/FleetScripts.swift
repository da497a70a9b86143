import ClusterClient
import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceSimulator
import NIOCore

/// The script that devices of a fleet run: for each of them an app of its own, on the device's board.
final class FleetScripts: Sendable {
    /// What scripts did, of all devices together.
    struct Figures: Sendable {
        /// Devices whose script runs.
        var running = 0
        var activations: UInt64 = 0
        /// Activations that ended with an error, and those that were ended for their budget.
        var errors: UInt64 = 0
        var kills: UInt64 = 0
        /// Events and lines that were too many.
        var dropped: UInt64 = 0
        /// Bytes of all scripts' heaps.
        var heap = 0
        var processorTime = Duration.zero
    }

    /// The file, and which devices run it: those below this number.
    struct Settings: Sendable {
        var path: String
        var devices: Int
    }

    private let settings: Settings
    private let host = LuaHost(reloads: false)
    /// What lies on the boards' buses is the same for all.
    private let buses = SimulatedBuses()
    private let told = Locked<Set<String>>([])
    private let report: @Sendable (FleetReport) -> Void

    /// So many different errors are told; the others are counted.
    private static let toldLimit = 10

    init(_ settings: Settings, report: @escaping @Sendable (FleetReport) -> Void) {
        self.settings = settings
        self.report = report
    }

    /// Starts the script of a device, if it is to have one.
    ///
    /// - Parameter standard: how the device reaches its brokers.
    func start(
        _ number: Int, on board: SimulatedBoard, standard: SMQClientConfiguration, eventLoop: any EventLoop
    ) throws(DeviceError) {
        guard number < settings.devices else { return }
        let messaging = ScriptMessaging(standard: standard, eventLoop: eventLoop, logger: Fleet.logger)
        var app = LuaAppConfiguration(name: "device-\(number)", source: .file(settings.path))
        app.libraries = ScriptBoard(backend: board, buses: buses).libraries + messaging.libraries
        app.onError = { [weak self] in self?.tell($0) }
        try host.add(app)
    }

    private func tell(_ error: LuaErrorRecord) {
        // It begins with the device's name, and is the same for all of them after that.
        let message = error.message.hasPrefix(error.app) ? error.message.dropFirst(error.app.count) : error.message[...]
        let isNew = told.withLock { $0.count < Self.toldLimit && $0.insert(String(message)).inserted }
        if isNew { report(.note("Script of \(error.app), \(error.activity): \(error.message)")) }
    }

    /// What they did so far.
    var figures: Figures {
        var figures = Figures()
        for app in host.apps {
            let statistics = app.statistics
            if statistics.state == .running { figures.running += 1 }
            figures.activations += statistics.activations
            figures.errors += statistics.errors
            figures.kills += statistics.kills
            figures.dropped += statistics.droppedEvents + statistics.droppedLines
            figures.heap += statistics.memory
            figures.processorTime += statistics.processorTime
        }
        return figures
    }

    /// Ends them all, `onunload` first.
    func stop() async { await host.stop() }
}
