public import DeviceCore

/// An LED soldered onto the board, driven by the kernel under `/sys/class/leds`.
///
/// Its GPIO line belongs to the kernel's driver, so ``LED`` cannot have it. While this object lives the LED's trigger
/// (`mmc0`, `heartbeat`) is off; it is restored by ``close()`` or when the last reference goes.
public final class OnboardLED: Sendable {
    private struct State {
        var isLit = false
        var isClosed = false
    }

    /// The LED's name: `ACT`, `blue:status`.
    public let name: String
    private let path: String
    private let trigger: String
    private let brightness: String
    private let maximum: Int
    private let state = Locked(State())

    /// The names of this machine's LEDs.
    public static func names(directory: String = "/sys/class/leds") -> [String] { SystemFile.names(in: directory) }

    /// Takes an LED over and switches it off.
    ///
    /// Throws `.notFound` with the names that exist, and `.permission` with the way to get it.
    public init(_ name: String, directory: String = "/sys/class/leds") throws(DeviceError) {
        let names = Self.names(directory: directory)
        guard names.contains(name) else {
            throw DeviceError(
                .notFound, "this machine has no LED \"\(name)\"",
                hint: names.isEmpty
                    ? "There is none under \(directory)" : "LEDs here: \(names.joined(separator: ", "))")
        }
        self.name = name
        path = "\(directory)/\(name)"
        let triggers = try SystemFile.text(path + "/trigger")
        trigger = Self.chosen(in: triggers) ?? "none"
        brightness = (try? SystemFile.text(path + "/brightness")) ?? "0"
        maximum = (try? SystemFile.text(path + "/max_brightness")).flatMap { Int($0) } ?? 1
        do throws(DeviceError) {
            try SystemFile.write("none", to: path + "/trigger")
            try SystemFile.write("0", to: path + "/brightness")
        } catch {
            // The trigger may be gone already; what was there is put back as far as this user may.
            try? SystemFile.write(trigger, to: path + "/trigger")
            throw Self.explain(error, name)
        }
    }

    deinit { close() }

    /// Whether it is lit.
    public var isLit: Bool { state.withLock { $0.isLit } }

    /// Switches it on. Throws `.closed`, `.permission` or `.io`.
    public func on() throws(DeviceError) { try set { _ in true } }
    /// Switches it off. Throws `.closed`, `.permission` or `.io`.
    public func off() throws(DeviceError) { try set { _ in false } }
    /// Switches it over; returns whether it is lit now.
    @discardableResult
    public func toggle() throws(DeviceError) -> Bool { try set { !$0 } }

    /// Gives the LED back to the trigger that drove it before, or to its brightness where none did.
    public func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            // Nobody is left to tell when this fails.
            try? SystemFile.write(trigger, to: path + "/trigger")
            if trigger == "none" { try? SystemFile.write(brightness, to: path + "/brightness") }
        }
    }

    @discardableResult
    private func set(_ next: (Bool) -> Bool) throws(DeviceError) -> Bool {
        try state.withLock { (state: inout State) throws(DeviceError) in
            guard !state.isClosed else { throw DeviceError(.closed, "LED \"\(name)\" was closed") }
            let lit = next(state.isLit)
            do throws(DeviceError) {
                try SystemFile.write(lit ? "\(maximum)" : "0", to: path + "/brightness")
            } catch {
                throw Self.explain(error, name)
            }
            state.isLit = lit
            return lit
        }
    }

    /// The trigger in brackets: `none [mmc0] heartbeat`.
    static func chosen(in triggers: String) -> String? {
        guard let open = triggers.firstIndex(of: "["), let close = triggers[open...].firstIndex(of: "]") else {
            return nil
        }
        return String(triggers[triggers.index(after: open)..<close])
    }

    private static func explain(_ error: DeviceError, _ name: String) -> DeviceError {
        guard error.code == .permission else { return error }
        return DeviceError(
            .permission, "no permission to switch the LED \"\(name)\"",
            hint: "Install the udev rule of Hardware/README.md for the group gpio, or run as root", cause: error)
    }
}
