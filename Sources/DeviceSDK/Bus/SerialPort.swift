import CDeviceShim
public import DeviceCore
import Glibc

/// A serial port of the kernel: a header's UART, or a USB adapter.
///
/// ```swift
/// let port = try SerialPort("/dev/serial0", settings)
/// try port.write(Array("AT\r".utf8))
/// for await event in port.events { ... }
/// ```
public final class SerialPort: SerialLine {
    private struct State {
        var file: Int32
        var reader: SerialReader?
    }

    /// The device file.
    public let name: String
    /// What arrives.
    public let events: SerialInbox
    private let transmitBuffer = 4095
    private let state: Locked<State>
    /// One writer at a time, so that two texts do not mix.
    private let writing = Locked(())

    /// The serial ports of this machine that a header or an adapter can have.
    public static func names(directory: String = "/dev") -> [String] {
        BusFile.names(in: directory, prefixes: ["serial", "ttyAMA", "ttyS", "ttyUSB", "ttyACM"])
            .filter { Int($0.drop { !$0.isNumber }) != nil }
    }

    /// Opens and sets a port; it is then this program's alone.
    ///
    /// - Throws: `.notFound` with the ports that exist, `.permission` with the group that may, `.busy`,
    ///   `.invalidArgument` for settings that the port cannot have, `.io`.
    public init(_ path: String, _ settings: SerialSettings = SerialSettings()) throws(DeviceError) {
        try settings.check()
        let file = try Self.open(path)
        do throws(DeviceError) {
            try Self.configure(file, path, settings)
            let events = SerialInbox(limit: settings.receiveBuffer)
            let reader = try SerialReader(file: file, settings: settings, events: events)
            name = path
            self.events = events
            state = Locked(State(file: file, reader: reader))
        } catch {
            Glibc.close(file)
            throw error
        }
    }

    deinit { close() }

    /// Bytes that the kernel takes without waiting.
    public var writableBytes: Int {
        state.withLock { state in
            guard state.file >= 0 else { return 0 }
            return max(0, transmitBuffer - max(0, Int(cdev_serial_waiting(state.file))))
        }
    }

    /// Queues bytes; blocks while the kernel's buffer is full.
    public func write(_ bytes: [UInt8]) throws(DeviceError) {
        try writing.withLock { _ throws(DeviceError) in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = try state.withLock { (state: inout State) throws(DeviceError) -> Int in
                    guard state.file >= 0 else { throw closed }
                    let count = rest.withUnsafeBytes { Glibc.write(state.file, $0.baseAddress, $0.count) }
                    if count >= 0 || errno == EINTR { return max(0, count) }
                    guard errno == EAGAIN else {
                        throw DeviceError(.io, "cannot write to \(name): \(SystemError.text(errno))")
                    }
                    return -1
                }
                if count < 0 { try waitForRoom() } else { rest = rest.dropFirst(count) }
            }
        }
    }

    /// Ends the reader and closes the port.
    public func close() {
        let (file, reader) = state.withLock { state in
            defer { state = State(file: -1, reader: nil) }
            return (state.file, state.reader)
        }
        guard file >= 0 else { return }
        reader?.stop()
        Glibc.close(file)
        events.finish()
    }

    private var closed: DeviceError { DeviceError(.closed, "serial port \(name) was closed") }

    private func waitForRoom() throws(DeviceError) {
        // A closed descriptor may be another's: a copy of its own is waited for.
        let file = state.withLock { $0.file >= 0 ? fcntl($0.file, F_DUPFD_CLOEXEC, 0) : -1 }
        guard file >= 0 else { throw closed }
        defer { Glibc.close(file) }
        var poller = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
        let ready = poll(&poller, 1, 10_000)
        if ready == 0 {
            throw DeviceError(
                .timedOut, "\(name) has taken nothing for 10 seconds",
                hint: "Flow control holds it: check RTS and CTS, or turn flow control off")
        }
    }

    private static func open(_ path: String) throws(DeviceError) -> Int32 {
        let names = names()
        let hint =
            names.isEmpty
            ? "Turn the serial port on (raspi-config, or enable_uart=1 in config.txt) or plug an adapter in"
            : "Serial ports here: " + names.prefix(8).map { "/dev/\($0)" }.joined(separator: ", ")
        let file = try BusFile.open(path, flags: O_RDWR | O_NONBLOCK, group: "dialout", absent: hint)
        // Advisory only, but what minicom, gpsd and this class look at.
        guard isatty(file) == 1, flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let isTerminal = isatty(file) == 1
            Glibc.close(file)
            if isTerminal {
                throw DeviceError(
                    .busy, "\(path) is in use by another program", hint: "`fuser -v \(path)` names that program")
            }
            throw DeviceError(.invalidArgument, "\(path) is no serial port", hint: hint)
        }
        return file
    }

    private static func configure(_ file: Int32, _ path: String, _ settings: SerialSettings) throws(DeviceError) {
        let parity: Int =
            switch settings.parity {
            case .none: CDEV_PARITY_NONE
            case .even: CDEV_PARITY_EVEN
            case .odd: CDEV_PARITY_ODD
            }
        var raw = cdev_serial(
            baud: UInt32(clamping: settings.baudRate), data_bits: UInt8(clamping: settings.dataBits),
            stop_bits: UInt8(clamping: settings.stopBits), parity: UInt8(clamping: parity),
            hardware_flow: settings.hasHardwareFlowControl ? 1 : 0, rs485: settings.isRS485 ? 1 : 0)
        guard cdev_serial_configure(file, &raw) == 0 else {
            let error = errno
            if error == ERANGE {
                throw DeviceError(
                    .unsupported, "\(path) cannot do \(settings.baudRate) baud",
                    hint: "Choose a rate that divides its clock, such as 9600 or 115200")
            }
            if settings.isRS485, [ENOTTY, EINVAL].contains(error) {
                throw DeviceError(
                    .unsupported, "the driver of \(path) cannot switch an RS-485 transceiver",
                    hint: "Use an adapter that switches by itself")
            }
            throw DeviceError(.io, "cannot set \(path): \(SystemError.text(error))")
        }
    }
}
