import CDeviceShim
import DeviceCore
import Glibc

/// An open chip, for the time of one call.
struct ChipHandle {
    private let chip: OpaquePointer
    private let path: String

    /// Opens a chip, calls `body` and closes it again.
    static func with<Result>(
        _ path: String, _ body: (ChipHandle) throws(DeviceError) -> Result
    ) throws(DeviceError) -> Result {
        guard let chip = cdev_chip_open(path) else { throw openFailure(path, errno) }
        defer { cdev_chip_close(chip) }
        return try body(ChipHandle(chip: chip, path: path))
    }

    /// Label and line names.
    func describe() throws(DeviceError) -> GPIOChip {
        var info = cdev_chip_info()
        guard cdev_chip_get_info(chip, &info) == 0 else { throw failure("read", errno) }
        var names: [String?] = []
        for offset in 0..<info.lines {
            var line = cdev_line_info()
            guard cdev_chip_line_info(chip, offset, &line) == 0 else { throw failure("read line \(offset) of", errno) }
            names.append(Self.text(line.name))
        }
        let device = path.split(separator: "/").last.map(String.init) ?? path
        return GPIOChip(label: Self.text(info.label) ?? device, device: device, lineNames: names)
    }

    /// What the kernel knows of a line.
    func info(_ line: GPIOLine) throws(DeviceError) -> LineInfo {
        var info = cdev_line_info()
        guard cdev_chip_line_info(chip, UInt32(clamping: line.offset), &info) == 0 else {
            throw failure("read line \(line) of", errno)
        }
        return LineInfo(
            line: line, consumer: Self.text(info.consumer), isUsed: info.used != 0, isOutput: info.output != 0,
            isActiveLow: info.active_low != 0)
    }

    /// Requests lines; a busy one is named with its owner.
    func request(
        _ lines: [GPIOLine], _ settings: inout cdev_settings, consumer: String, board: Board
    ) throws(DeviceError) -> RequestHandle {
        let offsets = lines.map { UInt32(clamping: $0.offset) }
        let request = consumer.withCString { name in
            settings.consumer = name
            defer { settings.consumer = nil }
            return cdev_chip_request(chip, offsets, offsets.count, &settings)
        }
        if let request { return RequestHandle(request) }
        let error = errno
        switch error {
        case EBUSY:
            for line in lines {
                let info = try info(line)
                if info.isUsed { throw GPIOError.busy(line, owner: info.consumer, board: board) }
            }
            // Given back in the meantime.
            throw DeviceError(.busy, "line \(lines.first?.description ?? "") was in use", hint: "Try again")
        case EACCES, EPERM: throw GPIOError.permission(path)
        default:
            let names = lines.map(\.description).joined(separator: ", ")
            throw DeviceError(
                error == EINVAL ? .unsupported : .io, "cannot request line \(names): \(SystemError.text(error))",
                hint: error == EINVAL ? "The chip's driver may not support the bias or drive asked for" : nil)
        }
    }

    private func failure(_ verb: String, _ error: Int32) -> DeviceError {
        DeviceError(.io, "cannot \(verb) \(path): \(SystemError.text(error))")
    }

    private static func openFailure(_ path: String, _ error: Int32) -> DeviceError {
        switch error {
        case EACCES, EPERM: return GPIOError.permission(path)
        case ENOENT, ENODEV, ENXIO, ENOTTY:
            return DeviceError(.notFound, "\(path) is not a GPIO chip: \(SystemError.text(error))")
        default: return DeviceError(.io, "cannot open \(path): \(SystemError.text(error))")
        }
    }

    /// A fixed array of C as text; nil when empty.
    private static func text<Bytes>(_ bytes: Bytes) -> String? {
        withUnsafeBytes(of: bytes) { bytes in
            let name = bytes.prefix { $0 != 0 }
            return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
        }
    }
}

/// A request of the C shim.
///
/// @unchecked Sendable because it is only a pointer: its two owners, LibgpiodOutput and LibgpiodInput, keep it
/// behind a lock and see to it that calls do not overlap where the shim forbids it.
struct RequestHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    func release() { cdev_request_release(pointer) }

    func get(_ lines: [GPIOLine]) throws(DeviceError) -> UInt64 {
        var values: UInt64 = 0
        guard cdev_request_get(pointer, &values) == 0 else { throw Self.failure("read", lines, errno) }
        return values
    }

    static func failure(_ verb: String, _ lines: [GPIOLine], _ error: Int32) -> DeviceError {
        let names = lines.map(\.description).joined(separator: ", ")
        return DeviceError(.io, "cannot \(verb) line \(names): \(SystemError.text(error))")
    }
}
