import ClusterClient
import DeviceCore
import NIOCore

/// Numbered messages that are kept until a receiver has them: with them everybody can see what a move costs.
struct Heartbeat: Sendable {
    /// Where they are published, as `.log` messages (docs/delivery.md): a text of run and number, `3f9a02c1 17`.
    static let topic = "devicesdk/heartbeat"
    /// Messages a second.
    static let rates = 1...1000

    /// One message's content.
    struct Beat: Hashable, Sendable {
        /// Drawn at the device's start.
        var run: String
        /// Counted from 1.
        var number: UInt64

        init(run: String, number: UInt64) {
            self.run = run
            self.number = number
        }

        /// Nil for what is no heartbeat.
        init?(_ payload: ByteBuffer) {
            guard payload.readableBytes <= 64 else { return nil }
            let words = String(buffer: payload).split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 2, let run = words.first, !run.isEmpty, let number = words.last.flatMap({ UInt64($0) })
            else { return nil }
            self.init(run: String(run), number: number)
        }

        var payload: ByteBuffer { ByteBuffer(string: "\(run) \(number)") }
    }

    let run: String
    private let client: SMQClient
    private let interval: Duration
    private let warn: @Sendable (String) -> Void

    /// - Parameter rate: messages a second.
    init(client: SMQClient, rate: Int, warn: @escaping @Sendable (String) -> Void) {
        self.client = client
        interval = .nanoseconds(1_000_000_000 / max(1, Int64(rate)))
        self.warn = warn
        run = String(UInt32.random(in: .min ... .max), radix: 16)
    }

    /// Reads `20` or `20/s`.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument`.
    static func rate(_ text: String) throws(DeviceError) -> Int {
        let digits = text.hasSuffix("/s") ? text.dropLast(2) : text[...]
        guard let rate = Int(digits), rates.contains(rate) else {
            throw DeviceError(
                .invalidArgument, "--heartbeat \(text.prefix(50)) is no rate",
                hint: "Write messages a second, \(rates.lowerBound) to \(rates.upperBound): --heartbeat 20/s")
        }
        return rate
    }

    /// Publishes until the task is cancelled.
    func publish() async {
        var number: UInt64 = 0
        var next = ContinuousClock.now
        var failure: String?
        while !Task.isCancelled {
            do throws(DeviceError) {
                let beat = Beat(run: run, number: number + 1)
                try await client.publish(
                    beat.payload, to: .topic(Self.topic), delivery: .log(level: .endToEnd, timeToLive: .seconds(600)))
                number += 1
                failure = nil
            } catch {
                // The same number again; a full disk is told once.
                if failure != error.message { warn("No heartbeat: \(error)") }
                failure = error.message
            }
            // After a stop of the whole program nothing is made up for.
            next = max(next + interval, .now - interval)
            try? await Task.sleep(until: next, clock: .continuous)
        }
    }

    /// Tells of it four times a second until the task is cancelled.
    func follow(report: (DemoEvent) -> Void) async {
        while !Task.isCancelled {
            let counters = client.deliveryCounters.normal
            let status = client.currentStatus
            report(
                .heartbeat(
                    run: run, sent: counters.published, delivered: counters.acknowledged, waiting: counters.waiting,
                    node: status.node, standby: status.standby))
            try? await Task.sleep(for: .milliseconds(250))
        }
    }
}
