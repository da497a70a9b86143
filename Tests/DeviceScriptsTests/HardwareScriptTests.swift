import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceSimulator
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct PWMScriptTests {
    @Test func dutiesAreSetAndFloored() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            trace(esp32.pwmtimer{mode="LOW", bits=10, timer=0, freq=100})
            pwm = esp32.pwmchannel{mode="LOW", timer=0, channel=0, gpio=18, duty=1024}
            trace("full", pwm:duty(1024.9), pwm:duty(0.5))
            """)
        try await rig.writes("full\ttrue\ttrue")
        #expect(try !rig.board.isHigh("GPIO18"), "0.5 is floored to 0")
        #expect(rig.board.changes.contains { $0.line.name == "GPIO18" && $0.isHigh })
    }

    /// As public scripts dim LEDs: with more than software can.
    @Test func kilohertzAreSwitchedAsSoftwareCan() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            trace(esp32.pwmtimer{mode="LOW", bits=13, timer=0, freq=5000})
            pwm = esp32.pwmchannel{mode="LOW", timer=0, channel=0, gpio=18, duty=2^13-1}
            trace("dimmed", pwm:duty(2^12))
            """)
        try await rig.writes("with 1000 Hz in place of 5000 Hz")
        try await rig.writes("dimmed\ttrue")
        try await eventually("it is switched") { rig.board.changes.filter { $0.line.name == "GPIO18" }.count > 2 }
        await rig.host.stop()
    }

    @Test func anErrorInAFadesCallbackClosesTheChannel() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            esp32.pwmtimer{mode="LOW", bits=8, timer=1, freq=100}
            pwm = esp32.pwmchannel{mode="LOW", timer=1, channel=2, gpio=18, callback=function() error"broken" end}
            pwm:fade(256, 20)
            """)
        try await rig.writes("broken")
        try await eventually("the pin is free") { rig.scripts.usedPins.isEmpty }
    }

    @Test func closingAChannelStopsItsOutputAndFreesPinAndChannel() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            esp32.pwmtimer{mode="LOW", bits=8, timer=1, freq=100}
            pwm = esp32.pwmchannel{mode="LOW", timer=1, channel=2, gpio=18, duty=128}
            pwm:close()
            trace("again", esp32.pwmchannel{mode="LOW", timer=1, channel=2, gpio=27} ~= nil, esp32.gpio(18, "IN"):value())
            """)
        try await rig.writes("again\ttrue\tfalse")
        await rig.host.stop()
    }

    @Test func aFadeEndsWithTheCallback() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            esp32.pwmtimer{mode="HIGH", bits=8, timer=1, freq=100}
            pwm = esp32.pwmchannel{mode="HIGH", timer=1, channel=2, gpio=18, callback=function(...)
               trace("faded", select("#", ...)) end}
            trace("fade", pwm:fade(256, 60))
            """)
        try await rig.writes("fade\ttrue")
        try await rig.writes("faded\t0")
        try await rig.level("GPIO18", is: true)
    }

    @Test(arguments: [
        ("esp32.pwmtimer{bits=10, timer=0, freq=50}", "Invalidarg mode"),
        ("esp32.pwmtimer{mode='LOW', timer=0, freq=50}", "Invalidarg bits"),
        ("esp32.pwmtimer{mode='LOW', bits=10, timer=4, freq=50}", "Invalidarg timer"),
        ("esp32.pwmtimer{mode='LOW', bits=10, timer=0}", "Invalidarg freq"),
        ("esp32.pwmchannel{mode='LOW', timer=0, channel=8, gpio=18}", "Invalidarg channel"),
        ("esp32.pwmchannel{mode='LOW', timer=0, channel=0, gpio=77}", "Invalid pin 77"),
        ("esp32.pwmchannel{mode='LOW', timer=0, channel=0, gpio=18, duty=2000}", "Invalidarg duty"),
        ("ch():duty(-1)", "Invalidarg duty"), ("ch():fade(5, 100)", "No callback"),
        ("ch() esp32.gpio(18, 'OUT')", "Pin 18 in use"),
    ])
    func mistakesRaise(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            function ch() pwm = esp32.pwmchannel{mode="LOW", timer=0, channel=1, gpio=18} return pwm end
            esp32.pwmtimer{mode="LOW", bits=10, timer=0, freq=100}
            trace(select(2, pcall(function() \(text) end)))
            """)
        try await rig.writes(message)
    }

    @Test(arguments: [
        ("esp32.pwmtimer{mode='LOW', bits=10, timer=0, freq=0.01}", "cannot do 0.01 Hz"),
        ("esp32.pwmchannel{mode='HIGH', timer=2, channel=1, gpio=18}", "is not set"),
        ("esp32.pwmchannel{mode='LOW', timer=0, channel=0, gpio=27}", "PWM channel 0 is in use"),
    ])
    func failuresAreNilAndAReason(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            esp32.pwmtimer{mode="LOW", bits=10, timer=0, freq=100}
            first = esp32.pwmchannel{mode="LOW", timer=0, channel=0, gpio=18}
            trace(\(text))
            """)
        try await rig.writes("nil\t")
        try await rig.writes(message)
    }
}

@Suite(.timeLimit(.minutes(3))) struct BusScriptTests {
    @Test func i2cReadsAndWrites() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            bus = esp32.i2cmaster(1, 2, 3, 100000)
            trace("probe", bus:probe(0x76))
            trace("absent", bus:probe(0x50))
            trace("id", bus:readfrom(0x76, 0xD0, 1):byte(), bus:readfrom(0x76, "\\xD0", 1):byte())
            trace("write", bus:write(0x76, "\\xF4\\x27"), bus:write(0x76, 0xD0), bus:read(0x76, 1):byte())
            trace("no device", bus:read(0x50, 1))
            bus:close()
            bus:close()
            trace("closed", select(2, pcall(bus.read, bus, 0x76, 1)))
            """)
        for line in [
            "probe\ttrue", "absent\tnil\tno device answers at I2C address 0x50", "id\t96\t96", "write\ttrue\ttrue\t96",
            "no device\tnil\tno device answers at I2C address 0x50", "closed\tCLOSED",
        ] { try await rig.writes(line) }
    }

    @Test(arguments: [
        ("esp32.i2cmaster(999, 2, 3, 1)", "Port num. range err."),
        ("esp32.i2cmaster(1, 2, 2, 1)", "Pin 2 in use"),
        ("local b <close> = esp32.i2cmaster(1, 2, 3, 1) b:read(0x76, 0)", "the length must be 1 to 8192"),
        ("local b <close> = esp32.i2cmaster(1, 2, 3, 1) b:write(0x76, '')", "1 to 8192 bytes are expected"),
        ("local b <close> = esp32.i2cmaster(1, 2, 3, 1) b:probe(300)", "the address must be 0 to 127"),
    ])
    func i2cMistakesRaise(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run("trace(select(2, pcall(function() \(text) end)))")
        try await rig.writes(message)
    }

    @Test func aBusThatIsNotThereIsAFailure() async throws {
        let rig = ScriptRig()
        try await rig.run("trace(esp32.i2cmaster(7, 2, 3, 1))")
        try await rig.writes("nil\tthere is no /dev/i2c-7")
    }

    @Test func uartEchoesToItsCallback() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            uart = esp32.uart(0, {baudrate=115200, txpin=14, rxpin=15, pattern="++", callback=function(data, x)
               trace("got", data, x) end})
            uart:write("hello++")
            trace("size", uart:txsize() > 0)
            trace("read", select(2, pcall(uart.read, uart)))
            """)
        try await rig.writes("got\thello++\ttrue")
        try await rig.writes("size\ttrue")
        try await rig.writes("RX callback")
        let line = try #require(rig.buses.line(0))
        line.receive(.parity)
        try await rig.writes("got\tnil\tparity")
    }

    @Test func uartReadsWithATime() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            uart = esp32.uart(1)
            trace("nothing", uart:read(), uart:read(10))
            uart:write("abc")
            trace("something", uart:read(10000))
            trace("waits")
            trace("later", uart:read(60000))
            """)
        try await rig.writes("nothing\tnil\tnil")
        try await rig.writes("something\tabc")
        try await rig.writes("waits")
        try #require(rig.buses.line(1)).receive(Array("late".utf8))
        try await rig.writes("later\tlate")
    }

    @Test(arguments: [
        ("esp32.uart(0, {baudrate=1})", "Invalidarg baudrate"), ("esp32.uart(0, {databits=9})", "Invalidarg databits"),
        ("esp32.uart(0, {parity='MARK'})", "Invalidarg parity"),
        ("esp32.uart(0, {flowctrl='XON'})", "Invalidarg flowctrl"),
        ("esp32.uart(0, {pattern='+-', callback=print})", "Invalidarg pattern"),
        ("esp32.uart(0, {pattern='++'})", "Invalidarg pattern: it needs a callback"),
        ("esp32.uart(0, {timeout=-1})", "Invalidarg timeout"), ("esp32.uart(9)", "Invalidarg install"),
    ])
    func uartMistakesRaise(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run("trace(select(2, pcall(function() \(text) end)))")
        try await rig.writes(message)
    }

    /// Closing twice is no mistake, using what is closed is one.
    @Test(arguments: [
        ("esp32.gpio(17, 'OUT')", "value"), ("esp32.i2cmaster(1, 2, 3, 1)", "probe"),
        ("esp32.i2cmaster(1, 2, 3, 1)", "readfrom"), ("esp32.i2cmaster(1, 2, 3, 1)", "write"),
        ("esp32.uart(0)", "read"), ("esp32.uart(0)", "write"), ("esp32.uart(0)", "txsize"),
        ("(esp32.adc(0, 3))", "read"), ("pcnt()", "start"), ("pcnt()", "stop"), ("pcnt()", "count"),
        ("pcnt()", "clear"), ("channel()", "duty"), ("channel()", "fade"),
    ])
    func whatIsClosedRaises(_ object: String, _ method: String) async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            esp32.pwmtimer{mode="LOW", bits=8, timer=1, freq=100}
            function channel() return esp32.pwmchannel{mode="LOW", timer=1, channel=2, gpio=18} end
            function pcnt() return esp32.pcnt{high=9, low=-9, channels={{gpio={edge=22}, action={edge={positive="HOLD"}}}}} end
            local object = \(object)
            object:close() object:close()
            trace("closed", pcall(object.\(method), object, 1, 1, 1))
            """)
        try await rig.writes("closed\tfalse\t")
        #expect(rig.lines.contains { $0.hasPrefix("closed\tfalse") && $0.hasSuffix("CLOSED") }, "\(rig.lines)")
        #expect(rig.scripts.usedPins.isEmpty)
    }

    @Test func anErrorInAUartCallbackClosesIt() async throws {
        let rig = ScriptRig()
        try await rig.run(
            #"uart = esp32.uart(0, {txpin=14, callback=function() error"broken" end}) uart:write"x""#)
        try await rig.writes("broken")
        try await eventually("the pins are free") { rig.scripts.usedPins.isEmpty }
    }

    @Test func adcReadsOnceAndContinuously() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            trace("rates", esp32.adc())
            adc = esp32.adc(0, 3, {volt=true})
            raw, mv = adc:read()
            trace("once", raw, math.floor(mv))
            means = esp32.adc(1, 2, {fs=1000, bl=10, filter="mean", callback=function(raw)
               if not done then done = true trace("mean", raw) end end})
            trace("mode", select(2, pcall(means.read, means)))
            blocks = esp32.adc(1, 1, {fs=1000, bl=10, filter="data", callback=function(pcm)
               if not pcms then pcms = true trace("block", #pcm, string.unpack("<i2", pcm)) end end})
            trace("absent", esp32.adc(5, 0))
            """)
        for line in [
            "rates\t1\t10000", "once\t300\t527", "mean\t200", "Continuous mode", "block\t20\t100",
            "absent\tnil\tthere is no",
        ] { try await rig.writes(line) }
    }

    @Test(arguments: [
        ("esp32.adc(0, 3, {callback=print, bl=10})", "Invalidarg fs"),
        ("esp32.adc(0, 3, {callback=print, fs=1000})", "Invalidarg bl"),
        ("esp32.adc(0, 3, {callback=print, fs=1000, bl=10, filter='median'})", "Invalidarg filter"),
        ("esp32.adc(0, 3, 5)", "table expected"),
    ])
    func adcMistakesRaise(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run("trace(select(2, pcall(function() \(text) end)))")
        try await rig.writes(message)
    }

    @Test func aStoppedCounterKeepsItsCount() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            pcnt = esp32.pcnt{high=100, low=-100,
               channels={{gpio={edge=22}, action={edge={positive="HOLD", negative="DECREASE"}}}}}
            pcnt:start()
            timer = ba.timer(function()
               if pcnt:count() == -2 then pcnt:stop() trace"stopped" return false end
               return true
            end)
            timer:set(10)
            later = esp32.gpio(27, "IN", {pullup=true, type="NEGEDGE", callback=function() trace("count", pcnt:count()) end})
            """)
        for _ in 0..<2 {
            try rig.board.press("GPIO22")
            try rig.board.release("GPIO22")
        }
        try await rig.writes("stopped")
        try rig.board.press("GPIO22")
        try rig.board.press("GPIO27")
        try await rig.writes("count\t-2")
    }

    @Test func pcntCountsAndWatches() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            pcnt = esp32.pcnt{high=100, low=-100, watch={points={2}, callback=function(n) trace("watch", n) end},
               channels={{gpio={edge=22}, action={edge={positive="HOLD", negative="INCREASE"}}}}}
            pcnt:start()
            function count() trace("count", pcnt:count()) end
            timer = ba.timer(function() if pcnt:count() == 3 then count() pcnt:clear() count() return false end return true end)
            timer:set(10)
            """)
        for _ in 0..<3 {
            try rig.board.press("GPIO22")
            try rig.board.release("GPIO22")
        }
        for line in ["watch\t2", "count\t3", "count\t0"] { try await rig.writes(line) }
    }

    @Test(arguments: [
        ("esp32.pcnt{low=-1, channels={}}", "Invalidarg high"), ("esp32.pcnt{high=1, low=-1}", "Invalidarg channels"),
        ("esp32.pcnt{high=1, low=-1, channels={{}}}", "Invalidarg gpio"),
        ("esp32.pcnt{high=1, low=-1, channels={{gpio={edge=22}}}}", "Invalidarg action"),
        (
            "esp32.pcnt{high=1, low=-1, channels={{gpio={edge=22}, action={edge={positive='UP'}}}}}",
            "Invalidarg positive"
        ),
    ])
    func pcntMistakesRaise(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run("trace(select(2, pcall(function() \(text) end)))")
        try await rig.writes(message)
    }

    @Test(arguments: [
        ("esp32.i2cmaster(1, 2, 3, 1)", "buses: i2c1"), ("esp32.uart(0)", "buses: uart0"),
        ("esp32.adc(0, 1)", "buses: adc0"), ("esp32.execute'restart'", "system: restart"),
        (
            "esp32.pwmtimer{mode='LOW', bits=8, timer=0, freq=50} esp32.pwmchannel{mode='LOW', timer=0, channel=0, gpio=18}",
            "pins: 18"
        ),
        ("esp32.pcnt{high=1, low=-1, channels={{gpio={edge=22}, action={edge={positive='HOLD'}}}}}", "pins: 22"),
        ("require'device'.on('led', print)", "hooks: led"),
    ])
    func whatIsNotPermittedIsRefused(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run("trace(select(2, pcall(function() \(text) end)))") { $0.permissions = .none }
        try await rig.writes("app test has no permission for \(message)")
    }
}

@Suite(.timeLimit(.minutes(3))) struct SystemScriptTests {
    @Test func theRestOfESP32() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            trace("crc", esp32.crc("modbus", "123456789"), esp32.crc("modbus", "123456789", 0x4B37), esp32.crc("modbus", "", 1))
            mac, err = esp32.mac()
            trace("mac", mac and #mac or err)
            LED.setLed(true)
            trace("LED", LED.getLed(), require"LED".setLed(false), LED.getLed())
            trace("restart", esp32.execute"restart")
            trace("erase", esp32.execute"erase")
            trace("unknown", select(2, pcall(esp32.execute, "dance")))
            """
        ) { $0.permissions[.system] = .only(["restart"]) }
        // The check value of CRC-16/MODBUS.
        for line in [
            "crc\t19255\ttrue\tfalse", "mac\t", "LED\ttrue\ttrue\tfalse", "restart\ttrue", "erase\tnil\thas no meaning",
            "restart, erase, killmain or mdns is expected",
        ] { try await rig.writes(line) }
    }

    @Test(arguments: ["apinfo", "cam", "netconnect", "ota", "rmtrx", "rmttx", "sdcard", "wscan", "loglevel"])
    func stubsAnswerASentence(_ name: String) async throws {
        let rig = ScriptRig()
        try await rig.run("local value, sentence = esp32.\(name)({}) trace('stub', value, #sentence > 20)")
        try await rig.writes("stub\tnil\ttrue")
    }
}
