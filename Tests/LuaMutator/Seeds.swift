import DeviceCore
import DeviceLua

/// Scripts to begin with, and a board without hardware for them.
enum Seeds {
    /// `esp32.gpio` and `esp32.pwmchannel` as far as the seeds use them: a simulated pin that keeps its value.
    static let board = LuaLibrary(
        "esp32",
        members: [
            "gpio": .function { call in
                let pin = try call.integer(0, in: 0...63, "the pin")
                let callback = call.isTable(2) ? try call.table(2)["callback"] : .nil
                let object = try call.context.add(SimulatedPin(pin), keeping: [("callback", callback)])
                call.context.schedule(at: call.context.now + .milliseconds(10)) { context in
                    context.start(.member(object, "callback"), [.boolean(true)], activity: "gpio \(pin)", of: object) {
                        context, end in
                        if case .returned = end { return }
                        context.close(object)
                    }
                }
                return .value(.object(object))
            }
        ])

    final class SimulatedPin: LuaResource {
        static let luaClass = LuaClass(
            "gpio", hasFields: true,
            methods: [
                "value": { call in
                    let pin: SimulatedPin = try call.resource(0)
                    if call.isNil(1) { return .value(.boolean(pin.isHigh)) }
                    pin.isHigh = try call.boolean(1)
                    return .success
                },
                "close": { call in
                    try call.close()
                    return .nothing
                },
            ])
        let number: Int
        var isHigh = false
        init(_ number: Int) { self.number = number }
        func close(in context: LuaContext) {}
    }

    static let scripts = [
        """
        local pin = esp32.gpio(4, "OUT")
        local function blink()
            while true do
                pin:value(true)
                coroutine.yield(true)
                pin:value(false)
                coroutine.yield(true)
            end
        end
        timer = ba.timer(blink)
        timer:set(500, true)
        function onunload()
            timer:cancel()
            pin:close()
        end
        """,
        """
        local count = 0
        button = esp32.gpio(5, "IN", {pullup = true, type = "ANYEDGE", callback = function(level)
            count = count + 1
            trace("button", level, count)
            if count > 3 then button:close() end
        end})
        """,
        """
        local queue = {}
        local sender = ba.socket.event(function(sock, name)
            while true do
                while #queue > 0 do trace(name, ba.json.encode(table.remove(queue, 1))) end
                sock:disable()
            end
        end, "sender")
        ba.timer(function()
            table.insert(queue, {t = ba.clock(), v = math.random(100) / 10})
            sender:enable()
            return #queue < 10
        end):set(100, true)
        xedge.event("wip", function(ip) queue[#queue + 1] = {ip = ip} end)
        """,
        """
        local b = ba.bytearray.create(16)
        for i = 1, #b do b[i] = (i * 37.5) & 0xFF end
        ba.bytearray.h2n(b, 1, 4, 0xCAFEBABE)
        local s = ba.bytearray.tostring(b, 1, 8)
        trace(ba.b64encode(s), ba.socket.n2h(4, s), ba.crypto.hash("sha256")(s)(true, "hex"))
        for k, v in ("a=1, b=22, c=x"):gmatch("(%w+)=(%w+)") do trace(k, tonumber(v) or v) end
        local text = ("temperature %5.1f at %d"):format(21.37, 12.9):gsub("%d+", function(n) return n + 1 end)
        local o = setmetatable({}, {__gc = function() trace("gone") end, __close = function() trace("closed") end,
            __index = function(t, k) return k end, __call = function(self, ...) return select("#", ...) end})
        do local x <close> = o end
        o = nil
        collectgarbage()
        """,
        """
        local function worker(id)
            for i = 1, 5 do
                ba.sleep(10 * id)
                local ok, err = pcall(function() if i == 3 then error({code = i}) end return i end)
                trace(id, i, ok, type(err) == "table" and err.code or err)
            end
        end
        for id = 1, 3 do ba.thread.run(function() worker(id) end) end
        local co = coroutine.wrap(function(...) local a = ... while true do a = coroutine.yield(a * 2) ba.sleep(1) end end)
        trace(co(1), co(2))
        local t = {5, 3, 9, 1}
        table.sort(t, function(a, b) return a > b end)
        trace(table.concat(t, ","), table.unpack(t, 1, 2))
        """,
        """
        local l = assert(ba.socket.bind(0))
        local ip, port = l:sockname()
        l:event(function(l)
            for i = 1, 2 do
                local s = l:accept()
                s:event(function(s) while true do local d = s:read() if not d then return end s:write(d) end end, "s")
            end
        end, "r")
        ba.thread.run(function()
            local s <close> = ba.socket.connect("127.0.0.1", port, {timeout = 500})
            s:write("hello")
            trace(s:read(100))
        end)
        """,
    ]
}
