import DeviceCore
import DeviceLua

/// The object of `esp32.i2cmaster(port, sda, scl, hz)`. Its calls suspend the script that makes them, not the app.
final class I2CResource: LuaResource {
    static let luaClass = LuaClass(
        "i2cmaster",
        methods: [
            "probe": { try probe($0) },
            "read": { try read($0) },
            "readfrom": { try readFrom($0) },
            "write": { try write($0) },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private let bus: any I2CController
    private let claim: ScriptPinOwners.Claim

    private init(_ bus: any I2CController, _ claim: ScriptPinOwners.Claim) {
        self.bus = bus
        self.claim = claim
    }

    func close(in context: LuaContext) {
        bus.close()
        claim.release()
    }

    /// `esp32.i2cmaster(port, sda, scl, hz)`. Pins and speed are the device tree's; they are taken in the table of pins,
    /// so that no GPIO of a script is on them.
    static func open(_ call: LuaCall, _ board: ScriptBoard) throws -> LuaOutcome {
        let port = Int(clamping: try call.integer(0))
        guard (0...255).contains(port) else { throw LuaError("Port num. range err.") }
        let pins = [Int(clamping: try call.integer(1)), Int(clamping: try call.integer(2))]
        if !call.isNil(3) { _ = try call.integer(3) }
        try call.context.require(.buses, "i2c\(port)")
        let claim = try board.claim(pins, call.context)
        let bus: any I2CController
        do throws(DeviceError) { bus = try board.buses.i2c(port) } catch { return .failure(error.description) }
        do {
            return .value(.object(try call.context.add(I2CResource(bus, claim))))
        } catch {
            bus.close()
            throw error
        }
    }

    private static func device(_ call: LuaCall) throws -> (any I2CController, UInt8) {
        let bus = try call.resource(0, as: I2CResource.self).bus
        return (bus, UInt8(try call.integer(1, in: 0...127, "the address")))
    }

    /// `bus:probe(addr)`
    private static func probe(_ call: LuaCall) throws -> LuaOutcome {
        let (bus, address) = try device(call)
        return try call.inBackground {
            try bus.probe(address)
                ? [.boolean(true)] : [.nil, .string(I2CRule.noAnswer(address, on: bus.name).message)]
        }
    }

    /// `bus:read(addr, n)`
    private static func read(_ call: LuaCall) throws -> LuaOutcome {
        let (bus, address) = try device(call)
        let count = try call.integer(2, in: 1...Int64(I2CRule.maximumBytes), "the length")
        return try call.inBackground { [.bytes(try bus.transfer(address, write: [], read: count))] }
    }

    /// `bus:readfrom(addr, register, n)`; the register is one byte, or a string of several.
    private static func readFrom(_ call: LuaCall) throws -> LuaOutcome {
        let (bus, address) = try device(call)
        let register = try bytes(call, 2, "the register")
        let count = try call.integer(3, in: 1...Int64(I2CRule.maximumBytes), "the length")
        return try call.inBackground { [.bytes(try bus.transfer(address, write: register, read: count))] }
    }

    /// `bus:write(addr, byte or string)`
    private static func write(_ call: LuaCall) throws -> LuaOutcome {
        let (bus, address) = try device(call)
        let bytes = try bytes(call, 2, "the byte")
        return try call.inBackground {
            _ = try bus.transfer(address, write: bytes, read: 0)
            return [.boolean(true)]
        }
    }

    private static func bytes(_ call: LuaCall, _ index: Int, _ what: String) throws -> [UInt8] {
        if call.isNumber(index) { return [UInt8(try call.integer(index, in: 0...255, what))] }
        let bytes = try call.bytes(index)
        guard !bytes.isEmpty, bytes.count <= I2CRule.maximumBytes else {
            throw LuaError(argument: index, "1 to \(I2CRule.maximumBytes) bytes are expected")
        }
        return bytes
    }
}
