public import DeviceLua

extension ScriptBoard {
    /// `esp32` and `LED`, for a host of scripts.
    public var libraries: [LuaLibrary] {
        var members: [String: LuaMember] = [
            "gpio": .function { try GPIOResource.open($0, self) },
            "pwmtimer": .function { try PWMResource.setTimer($0) },
            "pwmchannel": .function { try PWMResource.open($0, self) },
            "i2cmaster": .function { try I2CResource.open($0, self) },
            "uart": .function { try UARTResource.open($0, self) },
            "adc": .function { try ADCResource.open($0, self) },
            "pcnt": .function { try PCNTResource.open($0, self) },
            "mac": .function { try ESP32System.mac($0) },
            "crc": .function { try ESP32System.crc($0) },
            "execute": .function { try ESP32System.execute($0, self) },
            "loglevel": .function { try ESP32System.logLevel($0) },
        ]
        for (name, sentence) in ESP32System.stubs { members[name] = .function { _ in .failure(sentence) } }
        let led = LuaLibrary(
            "LED",
            members: [
                "setLed": .function { call in
                    let on = try call.boolean(0)
                    do { _ = try self.setIndicator(on) } catch { return .failure("\(error)") }
                    return .success
                },
                "getLed": .function { _ in
                    do { return .value(.boolean(try self.setIndicator(nil))) } catch { return .failure("\(error)") }
                },
            ])
        return [LuaLibrary("esp32", members: members), led]
    }
}
