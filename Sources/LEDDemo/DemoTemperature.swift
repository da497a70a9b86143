import DeviceCore
import DeviceSDK

/// The temperature that the demo shows: the CPU's on a board, one that arrow keys change on a simulated board.
final class DemoTemperature: Sendable {
    private let isSimulated: Bool
    private let simulated = Locked(210)

    init(isSimulated: Bool) { self.isSimulated = isSimulated }

    /// Changes the simulated temperature, between -40 and 125 °C.
    func change(by tenths: Int) -> Int {
        simulated.withLock { value in
            value = min(1250, max(-400, value + tenths))
            return value
        }
    }

    /// Reports the temperature now and then until the task is cancelled.
    func follow(report: (Int) -> Void, warn: (String) -> Void) async {
        guard !isSimulated else { return report(simulated.withLock { $0 }) }
        let sensor: CPUTemperature
        do throws(DeviceError) { sensor = try CPUTemperature() } catch {
            return warn("No temperature: \(error)")
        }
        while !Task.isCancelled {
            // A reading that fails once is left out; the next may succeed.
            if let tenths = try? sensor.tenths() { report(tenths) }
            try? await Task.sleep(for: .seconds(2))
        }
    }
}
