import CDeviceShim
public import DeviceCore
import Glibc

/// The GPIO chips of this machine, through libgpiod 1.6 or 2.
///
/// Only the character devices are used, never `/sys/class/gpio`, and chips are told apart by their labels.
public final class LibgpiodBackend: GPIOBackend {
    /// The board whose header pins can be used as addresses.
    public let board: Board
    private let directory: String
    /// The chips as they were found; read again when an address is not found.
    private let resolver: Locked<LineResolver?>

    /// Whether this machine has a GPIO chip, whether or not this user may open it.
    public static func isAvailable(directory: String = "/dev") -> Bool { !paths(in: directory).isEmpty }

    /// Opens the chips of `directory`. Throws `.notFound` where there is none, `.permission` where none may be opened.
    ///
    /// - Parameters:
    ///   - board: nil: found by the device tree.
    ///   - directory: where the `gpiochip` devices are.
    public init(board: Board? = nil, directory: String = "/dev") throws(DeviceError) {
        let board = board ?? DetectedBoard().board
        self.board = board
        self.directory = directory
        let chips = try Self.scan(directory)
        guard !chips.isEmpty else { throw GPIOError.noChips() }
        resolver = Locked(LineResolver(board: board, chips: chips))
    }

    /// `libgpiod 1.6.3`.
    public var name: String { "libgpiod " + Self.version }

    /// The version of the libgpiod that this program was linked with.
    public static var version: String { String(cString: cdev_gpiod_version()) }

    /// The chips of this machine as they are now.
    public func chips() throws(DeviceError) -> [GPIOChip] {
        let chips = try Self.scan(directory)
        resolver.withLock { $0 = LineResolver(board: board, chips: chips) }
        return chips
    }

    /// The line at an address.
    public func find(_ address: LineAddress) throws(DeviceError) -> GPIOLine {
        if let known = resolver.withLock({ $0 }), let line = try? known.find(address) { return line }
        return try LineResolver(board: board, chips: chips()).find(address)
    }

    /// What the kernel knows of a line now.
    public func info(_ line: GPIOLine) throws(DeviceError) -> LineInfo {
        try ChipHandle.with(path(line)) { chip throws(DeviceError) in
            try chip.info(line)
        }
    }

    /// Takes lines of one chip as outputs.
    public func requestOutputs(
        _ lines: [GPIOLine], _ settings: OutputSettings
    ) throws(DeviceError) -> any OutputRequest {
        try GPIOError.check(lines)
        let before = settings.release == .initial ? try states(lines) : []
        var raw = cdev_settings()
        raw.direction = UInt8(CDEV_DIRECTION_OUTPUT)
        raw.bias = settings.bias.raw
        raw.drive = settings.drive.raw
        raw.active_low = settings.activeLow
        raw.values = settings.values
        let handle = try request(lines, &raw, consumer: settings.consumer)
        return LibgpiodOutput(lines: lines, handle: handle, settings: settings, before: before) { [self] inputs in
            _ = try? requestInputs(inputs, InputSettings(consumer: settings.consumer, reportsEdges: false)).close()
        }
    }

    /// Takes lines of one chip as inputs; with edges, a thread of their own waits for them.
    public func requestInputs(_ lines: [GPIOLine], _ settings: InputSettings) throws(DeviceError) -> any InputRequest {
        try GPIOError.check(lines)
        let kernelDebounces = cdev_gpio_has_debounce() != 0
        var raw = cdev_settings()
        raw.direction = UInt8(CDEV_DIRECTION_INPUT)
        raw.bias = settings.bias.raw
        raw.edges = settings.reportsEdges ? 1 : 0
        raw.active_low = settings.activeLow
        raw.event_buffer = 1024
        if kernelDebounces {
            raw.debounce_us = UInt32(clamping: settings.debounce.wholeNanoseconds / 1000)
        }
        let handle = try request(lines, &raw, consumer: settings.consumer)
        return try LibgpiodInput(
            lines: lines, handle: handle, settings: settings, debounce: kernelDebounces ? .zero : settings.debounce)
    }

    /// Direction and level of free lines, read without changing either.
    private func states(_ lines: [GPIOLine]) throws(DeviceError) -> [LibgpiodOutput.Before] {
        var states: [LibgpiodOutput.Before] = []
        for line in lines {
            let isOutput = try info(line).isOutput
            var raw = cdev_settings()
            raw.direction = UInt8(CDEV_DIRECTION_AS_IS)
            let handle = try request([line], &raw, consumer: "DeviceSDK")
            defer { handle.release() }
            states.append(.init(isOutput: isOutput, isHigh: try handle.get([line]) & 1 == 1))
        }
        return states
    }

    private func request(
        _ lines: [GPIOLine], _ settings: inout cdev_settings, consumer: String
    ) throws(DeviceError) -> RequestHandle {
        guard let first = lines.first else { throw DeviceError(.invalidArgument, "no line was given") }
        var raw = settings
        return try ChipHandle.with(path(first)) { chip throws(DeviceError) in
            try chip.request(lines, &raw, consumer: consumer, board: board)
        }
    }

    private func path(_ line: GPIOLine) -> String { "\(directory)/\(line.device)" }

    private static func scan(_ directory: String) throws(DeviceError) -> [GPIOChip] {
        var chips: [GPIOChip] = []
        var refused: DeviceError?
        for path in paths(in: directory) {
            do throws(DeviceError) {
                chips.append(try ChipHandle.with(path) { chip throws(DeviceError) in try chip.describe() })
            } catch {
                // A chip that only root may open does not hide the others.
                guard error.code == .permission || error.code == .notFound else { throw error }
                if error.code == .permission { refused = refused ?? error }
            }
        }
        if chips.isEmpty, let refused { throw refused }
        return chips
    }

    private static func paths(in directory: String) -> [String] {
        final class Found { var paths: [String] = [] }
        let found = Found()
        cdev_chip_each(
            directory,
            { path, context in
                guard let path, let context else { return }
                Unmanaged<Found>.fromOpaque(context).takeUnretainedValue().paths.append(String(cString: path))
            }, Unmanaged.passUnretained(found).toOpaque())
        return withExtendedLifetime(found) { found.paths }
    }
}

extension Bias {
    var raw: UInt8 {
        switch self {
        case .unchanged: UInt8(CDEV_BIAS_AS_IS)
        case .disabled: UInt8(CDEV_BIAS_DISABLED)
        case .pullUp: UInt8(CDEV_BIAS_PULL_UP)
        case .pullDown: UInt8(CDEV_BIAS_PULL_DOWN)
        }
    }
}

extension Drive {
    var raw: UInt8 {
        switch self {
        case .pushPull: UInt8(CDEV_DRIVE_PUSH_PULL)
        case .openDrain: UInt8(CDEV_DRIVE_OPEN_DRAIN)
        case .openSource: UInt8(CDEV_DRIVE_OPEN_SOURCE)
        }
    }
}
