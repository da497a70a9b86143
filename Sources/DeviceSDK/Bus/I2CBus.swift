import CDeviceShim
public import DeviceCore
import Glibc

/// An I2C bus of the kernel, `/dev/i2c-N`.
///
/// Speed and pins are set by the device tree (`dtparam=i2c_arm=on,i2c_arm_baudrate=400000` on a Raspberry Pi).
public final class I2CBus: I2CController {
    /// The device file.
    public let name: String
    /// The descriptor, -1 when closed; held by one call at a time.
    private let file: Locked<Int32>

    /// The numbers of this machine's buses.
    public static func numbers(directory: String = "/dev") -> [Int] {
        BusFile.names(in: directory, prefixes: ["i2c-"]).compactMap { Int($0.dropFirst(4)) }.sorted()
    }

    /// Opens a bus.
    ///
    /// - Throws: `.notFound` with the buses that exist, `.permission` with the group that may, `.unsupported` for a bus
    ///   that cannot do plain transactions, `.io`.
    public convenience init(_ number: Int, directory: String = "/dev") throws(DeviceError) {
        let numbers = Self.numbers(directory: directory)
        let hint =
            numbers.isEmpty
            ? "Turn I2C on (raspi-config, or dtparam=i2c_arm=on in config.txt), and load the module i2c-dev"
            : "Buses here: " + numbers.map(String.init).joined(separator: ", ")
        try self.init(path: "\(directory)/i2c-\(number)", hint: hint)
    }

    private init(path: String, hint: String) throws(DeviceError) {
        let file = try BusFile.open(path, flags: O_RDWR, group: "i2c", absent: hint)
        var functions: UInt = 0
        guard cdev_i2c_functions(file, &functions) == 0 else {
            let error = errno
            Glibc.close(file)
            throw DeviceError(.unsupported, "\(path) is no I2C bus: \(SystemError.text(error))")
        }
        // I2C_FUNC_I2C (linux/i2c.h): an SMBus controller of a PC's board has only fixed commands.
        guard functions & 1 != 0 else {
            Glibc.close(file)
            throw DeviceError(
                .unsupported, "\(path) is an SMBus controller without plain I2C transactions", hint: hint)
        }
        name = path
        self.file = Locked(file)
    }

    deinit { close() }

    /// Writes bytes and, after a repeated start, reads bytes, in one transaction.
    public func transfer(_ address: UInt8, write: [UInt8], read count: Int) throws(DeviceError) -> [UInt8] {
        try I2CRule.check(address, write: write, read: count)
        return try file.withLock { (file: inout Int32) throws(DeviceError) in
            guard file >= 0 else { throw I2CRule.closed(name) }
            var bytes = [UInt8](repeating: 0, count: count)
            guard cdev_i2c_transfer(file, address, write, write.count, &bytes, count) == 0 else {
                throw failure(address, errno)
            }
            return bytes
        }
    }

    /// Whether a device answers at an address; one that a driver of the kernel owns counts.
    public func probe(_ address: UInt8) throws(DeviceError) -> Bool {
        try I2CRule.check(address, write: [0], read: 0)
        return try file.withLock { (file: inout Int32) throws(DeviceError) in
            guard file >= 0 else { throw I2CRule.closed(name) }
            if cdev_i2c_probe(file, address) == 0 { return true }
            switch errno {
            case EBUSY: return true
            case ENXIO, EREMOTEIO, ETIMEDOUT: return false
            default: throw failure(address, errno)
            }
        }
    }

    /// Closes the device file.
    public func close() {
        file.withLock { file in
            if file >= 0 { Glibc.close(file) }
            file = -1
        }
    }

    private func failure(_ address: UInt8, _ error: Int32) -> DeviceError {
        switch error {
        // Controllers say one or the other when nobody acknowledges (Documentation/i2c/fault-codes.rst).
        case ENXIO, EREMOTEIO: return I2CRule.noAnswer(address, on: name)
        case ETIMEDOUT:
            return DeviceError(
                .timedOut, "\(name) did not become free",
                hint: "A device holds SCL or SDA low: check the wiring and the pull-ups")
        default:
            return DeviceError(.io, "I2C address \(I2CRule.hex(address)) on \(name): \(SystemError.text(error))")
        }
    }
}
