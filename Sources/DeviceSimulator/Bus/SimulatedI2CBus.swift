public import DeviceCore

/// A device on a simulated I2C bus.
///
/// Calls come one at a time, with the bus's lock held.
public protocol SimulatedI2CDevice: AnyObject, Sendable {
    /// Takes the bytes of a write.
    func write(_ bytes: [UInt8])
    /// Gives the bytes of a read.
    func read(_ count: Int) -> [UInt8]
}

/// An I2C bus that exists only in memory.
public final class SimulatedI2CBus: I2CController {
    private struct State {
        var devices: [UInt8: any SimulatedI2CDevice] = [:]
        var transactions: UInt64 = 0
        var isClosed = false
    }

    /// What it is called in messages.
    public let name: String
    private let state = Locked(State())

    /// A bus without devices.
    public init(name: String = "simulated I2C bus") { self.name = name }

    /// Puts a device on the bus, or with nil takes it off.
    public func connect(_ device: (any SimulatedI2CDevice)?, at address: UInt8) {
        state.withLock { $0.devices[address] = device }
    }

    /// Transactions that a device answered.
    public var transactions: UInt64 { state.withLock { $0.transactions } }

    /// Writes bytes to a device and reads bytes from it.
    public func transfer(_ address: UInt8, write: [UInt8], read count: Int) throws(DeviceError) -> [UInt8] {
        try I2CRule.check(address, write: write, read: count)
        return try state.withLock { (state: inout State) throws(DeviceError) in
            guard !state.isClosed else { throw I2CRule.closed(name) }
            guard let device = state.devices[address] else { throw I2CRule.noAnswer(address, on: name) }
            state.transactions += 1
            if !write.isEmpty { device.write(write) }
            guard count > 0 else { return [] }
            let bytes = device.read(count).prefix(count)
            // A bus that nobody drives reads ones.
            return bytes + [UInt8](repeating: 0xFF, count: count - bytes.count)
        }
    }

    /// Whether a device is at an address.
    public func probe(_ address: UInt8) throws(DeviceError) -> Bool {
        try I2CRule.check(address, write: [0], read: 0)
        return try state.withLock { (state: inout State) throws(DeviceError) in
            guard !state.isClosed else { throw I2CRule.closed(name) }
            return state.devices[address] != nil
        }
    }

    /// Closes it.
    public func close() { state.withLock { $0.isClosed = true } }
}

/// A device with up to 256 registers of a byte, a pointer that the first byte of a write sets, and reads that count up.
public final class SimulatedRegisters: SimulatedI2CDevice {
    private struct State {
        var bytes: [UInt8]
        var pointer: UInt8 = 0
    }

    private let state: Locked<State>
    private let isWritable: @Sendable (UInt8) -> Bool

    /// Registers with their first values.
    ///
    /// - Parameter isWritable: which registers a write changes; others keep their value.
    public init(_ values: [UInt8: UInt8] = [:], isWritable: @escaping @Sendable (UInt8) -> Bool = { _ in true }) {
        var bytes = [UInt8](repeating: 0, count: 256)
        for (register, value) in values { bytes[Int(register)] = value }  // safe: a byte is below 256
        state = Locked(State(bytes: bytes))
        self.isWritable = isWritable
    }

    /// A register's value.
    public subscript(register: UInt8) -> UInt8 {
        get { state.withLock { $0.bytes[Int(register)] } }  // safe: a byte is below 256
        set { state.withLock { $0.bytes[Int(register)] = newValue } }  // safe: as above
    }

    /// Sets the pointer, then registers from there on.
    public func write(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        state.withLock { state in
            state.pointer = first
            for byte in bytes.dropFirst() {
                if isWritable(state.pointer) { state.bytes[Int(state.pointer)] = byte }  // safe: as above
                state.pointer &+= 1
            }
        }
    }

    /// Reads registers from the pointer on.
    public func read(_ count: Int) -> [UInt8] {
        state.withLock { state in
            (0..<count).map { _ in
                defer { state.pointer &+= 1 }
                return state.bytes[Int(state.pointer)]  // safe: a byte is below 256
            }
        }
    }
}
