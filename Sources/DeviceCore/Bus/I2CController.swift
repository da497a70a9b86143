/// A bus of I2C devices, of the kernel or simulated.
///
/// Calls block for as long as the bus takes, some milliseconds for a device that stretches the clock; run them where
/// blocking is allowed. Calls of several threads are done one after the other.
public protocol I2CController: AnyObject, Sendable {
    /// What this bus is, for a person: `/dev/i2c-1`.
    var name: String { get }

    /// Writes bytes and, after a repeated start, reads bytes, in one transaction that no other program interrupts.
    ///
    /// - Parameters:
    ///   - address: the device's, 7 bits.
    ///   - write: may be empty when something is read.
    ///   - count: bytes to read, 0 to 8192.
    /// - Throws: `.notFound` when no device answers, `.invalidArgument`, `.timedOut`, `.closed`, `.io`.
    func transfer(_ address: UInt8, write: [UInt8], read count: Int) throws(DeviceError) -> [UInt8]
    /// Whether a device answers at an address. Throws `.closed` or `.io` where that cannot be told.
    func probe(_ address: UInt8) throws(DeviceError) -> Bool
    /// Gives the bus back. Does nothing the second time.
    func close()
}

extension I2CController {
    /// Reads registers that count up from `register`, as most sensors have them.
    public func registers(_ register: UInt8, count: Int, of address: UInt8) throws(DeviceError) -> [UInt8] {
        try transfer(address, write: [register], read: count)
    }

    /// Writes one register.
    public func set(_ register: UInt8, to value: UInt8, of address: UInt8) throws(DeviceError) {
        _ = try transfer(address, write: [register, value], read: 0)
    }
}

/// The sentences of I2C errors and the limits of its calls, the same for every bus.
package enum I2CRule {
    /// The largest number of bytes in one direction of a transaction (i2c-dev's own limit).
    package static let maximumBytes = 8192

    /// What a transaction must satisfy on every bus.
    package static func check(_ address: UInt8, write: [UInt8], read count: Int) throws(DeviceError) {
        guard address <= 0x7F else {
            throw DeviceError(
                .invalidArgument, "\(hex(address)) is no I2C address",
                hint: "Addresses have 7 bits; data sheets that give 8 count the read bit in, so halve it")
        }
        guard count >= 0, count <= maximumBytes, write.count <= maximumBytes, count + write.count > 0 else {
            throw DeviceError(
                .invalidArgument, "an I2C transaction of \(write.count) bytes out and \(count) in",
                hint: "It moves 1 to \(maximumBytes) bytes in each direction that it has")
        }
    }

    /// No device answered.
    package static func noAnswer(_ address: UInt8, on bus: String) -> DeviceError {
        DeviceError(
            .notFound, "no device answers at I2C address \(hex(address)) on \(bus)",
            hint: "Check its supply, SDA and SCL, and its address with `i2cdetect -y`")
    }

    /// The bus was closed.
    package static func closed(_ bus: String) -> DeviceError { DeviceError(.closed, "I2C bus \(bus) was closed") }

    /// An address as data sheets write it: `0x76`.
    package static func hex(_ address: UInt8) -> String {
        "0x" + (address < 16 ? "0" : "") + String(address, radix: 16)
    }
}
