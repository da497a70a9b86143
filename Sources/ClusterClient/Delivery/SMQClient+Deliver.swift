import DeviceCore
import Logging
import Metrics
import NIOCore
import Outbox

// The delivering task: reads the logs, hands their messages to the session, reports what was given up.
extension SMQClient {
    /// Delivers until the task is cancelled; then closes the outbox, durably.
    func deliver() async {
        var report = DeliveryReport()
        var timer: (time: MonotonicTime, task: Scheduled<Void>)?
        defer { timer?.task.cancel() }
        var openAt = MonotonicTime.zero
        delivery.wake.send(())
        for await _ in delivery.wake {
            delivery.state.withLock { $0.rounds += 1 }
            if delivery.isToBeOpened, openAt <= ClusterKeeper.now {
                do { _ = try await delivery.open() } catch {
                    openAt = ClusterKeeper.now + delivery.retryInterval
                    report.openingFailed(error).map(send)
                }
            }
            while !Task.isCancelled, await deliverOnce() {}
            let now = ClusterKeeper.now
            for event in report.events(delivery, now: now) {
                if case .dropped(let count, let reason) = event {
                    meters.dropped[reason]?.increment(by: Int64(clamping: count))
                }
                send(event)
            }
            meters.outboxWaiting.set(Double(report.waiting))
            let next = min(delivery.nextTime(now: now), report.next, delivery.isToBeOpened ? openAt : .distantFuture)
            guard next != .distantFuture else { continue }
            // Most wake-ups come by themselves: a timer that is early enough is left alone.
            if let timer, timer.time > now, timer.time <= next { continue }
            timer?.task.cancel()
            timer = (
                next,
                eventLoop.scheduleTask(in: .nanoseconds(max(1_000_000, (next - now).wholeNanoseconds))) {
                    [delivery] in delivery.wake.send(())
                }
            )
        }
        // The task is cancelled, and the outbox still has to become durable: in a task of its own.
        do { try await Task { [delivery] in try await delivery.close() }.value } catch {
            logger.error("the outbox could not be closed", metadata: ["reason": "\(error)"])
        }
    }

    /// - Returns: whether there was something to do.
    private func deliverOnce() async -> Bool {
        if let batch = delivery.takeLatest() {
            hand(batch)
            return true
        }
        guard let job = delivery.nextJob(now: ClusterKeeper.now) else { return false }
        do {
            let entries = try await job.outbox.logs[job.index].read(
                from: job.read.from, limit: job.read.limit, bytes: job.read.bytes)
            if let batch = delivery.take(entries, for: job, now: ClusterKeeper.now) { hand(batch) }
        } catch {
            logger.warning("the outbox could not be read", metadata: ["reason": "\(error)"])
            delivery.readFailed(job, now: ClusterKeeper.now)
        }
        return true
    }

    /// Gives a batch to its session. Where that is over, the messages are sent in the next.
    private func hand(_ batch: OutgoingBatch) {
        let denied = state.withLock { $0.publish(batch) }
        delivery.denied(denied)
        scheduleFlush()
    }
}

/// What the application is told of the outbox: sums, at most once a second.
struct DeliveryReport {
    private var reported: [SMQDropReason: UInt64] = [:]
    private var failure: String?
    private var lastTime = MonotonicTime.zero
    private var sweepAt = MonotonicTime.zero
    /// Messages that waited at the last report.
    private(set) var waiting: UInt64 = 0
    /// When to call ``events(_:now:)`` again; never, when nothing waits.
    private(set) var next = MonotonicTime.distantFuture

    mutating func openingFailed(_ error: DeviceError) -> SMQClientEvent? {
        guard failure != error.message else { return nil }
        failure = error.message
        return .outboxFailed(error)
    }

    mutating func events(_ delivery: DeliverySender, now: MonotonicTime) -> [SMQClientEvent] {
        if lastTime != .zero, now - lastTime < .seconds(1) {
            if next == .distantFuture { next = lastTime + .seconds(1) }
            return []
        }
        lastTime = now
        var events: [SMQClientEvent] = []
        let counters = delivery.counters
        for reason in SMQDropReason.allCases {
            let (before, count) = (reported[reason] ?? 0, counters.given(up: reason))
            // An outbox that was opened anew counts from 0.
            if count > before { events.append(.dropped(count - before, reason)) }
            reported[reason] = count
        }
        let outbox = delivery.state.withLock { $0.outbox }
        if let outbox {
            let failure = outbox.failure
            if let failure, failure.message != self.failure { events.append(.outboxFailed(failure)) }
            if failure == nil, self.failure != nil { events.append(.outboxRecovered) }
            self.failure = failure?.message
        }
        waiting = counters.high.waiting + counters.normal.waiting + counters.low.waiting
        // Without a session nobody reads, and so nobody would notice what has expired.
        if waiting > 0, now >= sweepAt {
            sweepAt = now + .seconds(10)
            for log in outbox?.logs ?? [] { log.removeExpired() }
        }
        next = waiting > 0 || failure != nil ? now + .seconds(1) : .distantFuture
        return events
    }
}
