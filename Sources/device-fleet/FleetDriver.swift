import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceSimulator
import NIOCore

/// Makes the devices of one event loop do what their plans say, with one timer for all.
///
/// Not Sendable: everything happens on its event loop.
final class FleetDriver {
    private let eventLoop: any EventLoop
    private let ledger: FleetLedger
    /// Makes a device when its time has come.
    private let make: (Int) throws(DeviceError) -> VirtualDevice
    /// Sends a command to a device, whose node is this as far as it has one.
    private let command: @Sendable (Int, String?, LEDContract.Switch) -> Void
    private var plans: [Int32: DevicePlan] = [:]
    private(set) var devices: [Int32: VirtualDevice] = [:]
    private var due: [Int32: FleetAction] = [:]
    private var agenda = Agenda()
    private var start = MonotonicTime.zero
    private var timer: Scheduled<Void>?

    init(
        eventLoop: any EventLoop, ledger: FleetLedger,
        command: @escaping @Sendable (Int, String?, LEDContract.Switch) -> Void,
        make: @escaping (Int) throws(DeviceError) -> VirtualDevice
    ) {
        self.eventLoop = eventLoop
        self.ledger = ledger
        self.command = command
        self.make = make
    }

    /// Begins the run for some devices.
    func begin(_ numbers: [Int], _ settings: DevicePlan.Settings, at start: MonotonicTime) {
        self.start = start
        for number in numbers {
            plans[Int32(number)] = DevicePlan(settings, device: number)
            schedule(Int32(number))
        }
        setTimer()
    }

    /// No more actions; what runs goes on.
    func rest() {
        agenda.removeAll()
        plans = [:]
        due = [:]
        timer?.cancel()
    }

    private func schedule(_ number: Int32) {
        guard let next = plans[number]?.next() else { return plans[number] = nil }
        due[number] = next.action
        agenda.add(number, at: start + next.time)
    }

    private func setTimer() {
        timer?.cancel()
        guard let next = agenda.nextTime else { return }
        let wait = max(.milliseconds(1), next - FleetClock.now)
        timer = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.wholeNanoseconds)) { [weak self] in
            self?.tick()
        }
    }

    private func tick() {
        // It is over: cancelling it would have the loop search all timers of all devices.
        timer = nil
        let now = FleetClock.now
        // So many at a time, that sockets have their turn in between.
        for _ in 0..<256 {
            guard let entry = agenda.take(at: now) else { break }
            ledger.withLock { $0.lag.add(now - entry.time) }
            if let action = due.removeValue(forKey: entry.device) { perform(action, entry.device, now) }
            schedule(entry.device)
        }
        setTimer()
    }

    private func perform(_ action: FleetAction, _ number: Int32, _ now: MonotonicTime) {
        if action == .arrive {
            do throws(DeviceError) {
                let device = try make(Int(number))
                devices[number] = device
                device.start(at: now)
            } catch { ledger.ended(error) }
            return
        }
        guard let device = devices[number] else { return }
        switch action {
        case .arrive: break
        case .read(let kind, let value): device.read(kind, value)
        case .press: device.press()
        case .command(let led, let isOn):
            command(Int(number), device.client.currentStatus.node, LEDContract.Switch(id: Int(led), isOn: isOn))
        }
    }
}
