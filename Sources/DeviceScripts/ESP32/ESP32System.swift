import DeviceCore
import DeviceLua
import DeviceSDK

/// The parts of `esp32` that are no hardware, and what an SBC has no counterpart of.
enum ESP32System {
    /// `esp32.mac()`: six bytes of the network card.
    static func mac(_ call: LuaCall) throws -> LuaOutcome {
        guard let mac = HardwareAddress.find() else {
            return .failure("this machine has no network card with an address")
        }
        return .value(.bytes(mac))
    }

    /// `esp32.crc("modbus", text [, expected])`
    static func crc(_ call: LuaCall) throws -> LuaOutcome {
        guard try call.string(0) == "modbus" else { throw LuaError(argument: 0, "only \"modbus\" is known") }
        let sum = try call.withBytes(1) { CRC16.modbus($0) }
        if call.isNil(2) { call.push(Int64(sum)) } else { call.push(try call.integer(2) == Int64(sum)) }
        return .pushed
    }

    /// `esp32.execute("restart")`
    static func execute(_ call: LuaCall, _ board: ScriptBoard) throws -> LuaOutcome {
        switch try call.string(0) {
        case "restart":
            try call.context.require(.system, "restart")
            return board.restartDevice() ? .success : .failure("this program offers no restart")
        case "erase", "killmain", "mdns": return .failure("has no meaning on a Linux board")
        default: throw LuaError(argument: 0, "restart, erase, killmain or mdns is expected")
        }
    }

    /// `esp32.loglevel(level)`
    static func logLevel(_ call: LuaCall) throws -> LuaOutcome {
        .failure("the program's own --verbose sets what is logged")
    }

    /// What answers nil and a sentence.
    static let stubs: [String: String] = [
        "apinfo": "the operating system manages the wireless network: use nmcli or iw",
        "cam": "there is no camera for scripts yet",
        "netconnect": "the operating system manages the network: use nmcli or systemd-networkd",
        "ota": "the operating system updates this device: use apt or your image's updater",
        "rmtrx": "a Linux board cannot time single microseconds in software: for 1-wire use the w1-gpio overlay",
        "rmttx":
            "a Linux board cannot time single microseconds in software: for WS2812 use SPI, for tones esp32.pwmchannel",
        "sdcard": "files of an app are in its own directory",
        "wscan": "the operating system manages the wireless network: use nmcli or iw",
    ]
}

/// The checksum of Modbus RTU frames (Modbus over serial line V1.02, section 6.2.2).
enum CRC16 {
    static func modbus(_ bytes: UnsafeRawBufferPointer) -> UInt16 {
        var sum: UInt16 = 0xFFFF
        for byte in bytes {
            sum ^= UInt16(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xA001 : sum >> 1 }
        }
        return sum
    }
}
