import DeviceCore
import DeviceScripts
import DeviceSimulator
import Testing

@testable import DeviceLua

/// The same for what scripts reach of the device.
@Suite struct DeviceAllocationTests {
    static let calls = [
        "local p <close> = esp32.gpio(4, 'OUT') return p:value(true), p:value()",
        "esp32.gpio(5, 'IN', {pullup = true, type = 'ANYEDGE', callback = function() end}):close()",
        "esp32.pwmtimer{mode = 'LOW', bits = 8, timer = 0, freq = 50}",
        """
        esp32.pwmtimer{mode = 'LOW', bits = 8, timer = 0, freq = 50}
        local c = esp32.pwmchannel{mode = 'LOW', timer = 0, channel = 0, gpio = 18, callback = print}
        c:duty(9.5) c:fade(5, 20) c:close()
        """,
        "local b = esp32.i2cmaster(1, 2, 3, 1) b:close()", "esp32.i2cmaster(1, 2, 3, 1):probe(0x76)",
        "esp32.i2cmaster(1, 2, 3, 1):read(0x76, 1)", "esp32.i2cmaster(1, 2, 3, 1):readfrom(0x76, 0xD0, 1)",
        "esp32.i2cmaster(1, 2, 3, 1):write(0x76, '\\xF4\\x27')",
        "local u = esp32.uart(0, {txpin = 14, pattern = '++', callback = print}) u:txsize() u:close()",
        "esp32.uart(0):write('x')", "return esp32.uart(0):read()", "esp32.uart(0):read(5)",
        "local a = esp32.adc(0, 3, {volt = true}) return esp32.adc(), a:read()",
        "esp32.adc(0, 3):close()", "esp32.adc(1, 2, {fs = 1000, bl = 10, filter = 'mean', callback = print})",
        """
        local p = esp32.pcnt{high = 9, low = -9, watch = {points = {2}, callback = print},
           channels = {{gpio = {edge = 22}, action = {edge = {positive = 'HOLD', negative = 'INCREASE'}}}}}
        p:start() p:count() p:clear() p:stop() p:close()
        """,
        "return esp32.mac(), esp32.crc('modbus', 'x'), esp32.loglevel(1), esp32.execute('restart'), esp32.execute('erase')",
        "return esp32.apinfo(), esp32.cam(), esp32.netconnect(), esp32.ota(), esp32.rmtrx(), esp32.rmttx(), esp32.sdcard(), esp32.wscan()",
        "LED.setLed(true) return LED.getLed()",
        "local d = require 'device' local h = d.on('led', function() end) d.leds() d.set(1, true) h:close()",
        """
        local s = require 'smq.client'.create('smq://127.0.0.1:1/smq.lsp', {uid = 'a-sweep'})
        s.onmsg = print s:subscribe('/t', 'sub', {onmsg = print}) s:publish('x', '/t') s:create('/t') s:createsub('sub')
        s:observe('/t', print) s:unobserve('/t') s:unsubscribe('/t') s:gettid() s:status()
        s:tid2topic(s:topic2tid('/t')) s:tid2subtopic(s:subtopic2tid('sub')) s:shutdown()
        """,
        "require 'smq.client'.create('smq://127.0.0.1:1/smq.lsp'):close()",
        "return pcall(require 'smq.hub'.create), require 'smq.hub'.isSMQ()",
        """
        local s = require 'smq.client'.create('smq://127.0.0.1:1/smq.lsp', {uid = 'a-sweep'})
        pcall(s.connect, s) pcall(s.etid2peer, s, 1) pcall(s.peers, s) pcall(s.topics, s) pcall(s.subtopics, s) s:close()
        """,
        "return pcall(require 'mqttc'.create), pcall(require 'mqttc'.connect)",
    ]

    private static func libraries() -> [LuaLibrary] {
        let board = ScriptBoard(
            backend: SimulatedBoard(), buses: SimulatedBuses(), indicator: { $0 ?? false }, restart: {})
        let device = ScriptDevice(
            hooks: ScriptHooks(), leds: { [ScriptDevice.LED(id: 1, name: "Red", isOn: true)] }, set: { _, _ in true })
        return board.libraries + ScriptMessaging(standard: nil).libraries + [device.library]
    }

    @Test(arguments: calls)
    func everyFailureIsAnError(_ script: String) throws {
        try AllocationSweep(Self.libraries()).run(script)
    }

    @Test func everyFunctionIsAmongThem() throws {
        let missing = try AllocationSweep(Self.libraries()).missing(from: Self.calls)
        #expect(missing.isEmpty, "\(missing)")
    }
}
