import DeviceCore
import DeviceLua

/// The object of `esp32.uart(port [, cfg])`.
final class UARTResource: LuaResource {
    static let luaClass = LuaClass(
        "uart",
        methods: [
            "read": { try read($0) },
            "write": { try write($0) },
            "txsize": { call in
                call.push(Int64(try call.resource(0, as: UARTResource.self).line.writableBytes))
                return .pushed
            },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private let line: any SerialLine
    private let claim: ScriptPinOwners.Claim
    private let hasCallback: Bool
    private var reader: Task<Void, Never>?

    private init(_ line: any SerialLine, _ claim: ScriptPinOwners.Claim, hasCallback: Bool) {
        self.line = line
        self.claim = claim
        self.hasCallback = hasCallback
    }

    func close(in context: LuaContext) {
        reader?.cancel()
        line.close()
        claim.release()
    }

    private enum Parity: String, CaseIterable {
        case even = "EVEN"
        case odd = "ODD"
    }

    private enum FlowControl: String, CaseIterable {
        case rts = "RTS"
        case cts = "CTS"
        case both = "CTSRTS"
    }

    /// `esp32.uart(port [, cfg])`
    static func open(_ call: LuaCall, _ board: ScriptBoard) throws -> LuaOutcome {
        let port = try call.integer(0, in: 0...255, "the port")
        let config = try ConfigTable(call, 1)
        let settings = try settings(config)
        let callback = try config.function("callback")
        if settings.pattern != nil, callback == nil { throw LuaError("Invalidarg pattern: it needs a callback") }
        var pins: [Int] = []
        for name in ["txpin", "rxpin", "rtspin", "ctspin"] where config.has(name) {
            pins.append(try config.integer(name, in: 0...255))
        }
        let context = call.context
        try context.require(.buses, "uart\(port)")
        let claim = try board.claim(pins, context)
        let line: any SerialLine
        do throws(DeviceError) { line = try board.buses.serial(port, settings) } catch {
            throw LuaError("Invalidarg install: \(error)")
        }
        let resource = UARTResource(line, claim, hasCallback: callback != nil)
        let object: LuaObject
        do {
            object = try context.add(resource, keeping: callback.map { [("callback", .function($0))] } ?? [])
        } catch {
            resource.close(in: context)
            throw error
        }
        guard callback != nil else { return .value(.object(object)) }
        let target = ScriptTarget(context, activity: "uart \(port)")
        target.name(object)
        resource.reader = Task { [inbox = line.events] in
            for await event in inbox {
                // The next event waits until the script is done with this one; bytes gather in the inbox meanwhile.
                _ = await target.callAndWait("callback", arguments(event), closesOnError: true)
            }
        }
        return .value(.object(object))
    }

    private static func arguments(_ event: SerialEvent) -> [LuaValue] {
        switch event {
        case .data(let bytes, let isPattern): [.bytes(bytes), .boolean(isPattern)]
        case .error(let error): [.nil, .string(error.rawValue)]
        }
    }

    private static func settings(_ config: ConfigTable) throws -> SerialSettings {
        var settings = SerialSettings()
        settings.baudRate = try config.integer("baudrate", in: 50...20_000_000, default: 9600)
        settings.dataBits = try config.integer("databits", in: 5...8, default: 8)
        // Any other number means 1.5 on an ESP32; Linux makes two of that.
        if let bits = config.value("stopbits").double { settings.stopBits = bits == 1 ? 1 : 2 }
        switch try config.word("parity", Parity.self) {
        case .even?: settings.parity = .even
        case .odd?: settings.parity = .odd
        case nil: break
        }
        settings.hasHardwareFlowControl = try config.word("flowctrl", FlowControl.self) != nil
        settings.isRS485 = config.isTrue("rs485")
        settings.receiveBuffer = max(1024, try config.integer("rxbufsize", in: 1...1 << 20, default: 1024))
        _ = try config.integer("txbufsize", in: 1...1 << 20, default: 1024)
        let timeout = try config.integer("timeout", in: 0...10_000, default: 0)
        guard config.has("pattern") else {
            settings.quiet = settings.byteTime * timeout
            return settings
        }
        guard case .bytes(let bytes) = config.value("pattern"), let first = bytes.first, bytes.count <= 16,
            bytes.allSatisfy({ $0 == first })
        else { throw ConfigTable.wrong("pattern", "1 to 16 times the same character is expected, as in \"+++\"") }
        for name in ["maxlen", "preidle", "postidle"] { _ = try config.integer(name, in: 0...1 << 20, default: 0) }
        settings.pattern = SerialSettings.Pattern(
            byte: first, count: bytes.count, gap: settings.byteTime * timeout)
        return settings
    }

    /// `uart:read([ms])`
    private static func read(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: UARTResource.self)
        guard !resource.hasCallback else { throw LuaError("RX callback") }
        let wait = call.isNil(1) ? 0 : try call.integer(1, in: 0...86_400_000, "the time in milliseconds")
        let inbox = resource.line.events
        if let values = next(inbox) { return .values(values) }
        guard wait > 0 else { return .value(.nil) }
        return try call.inTask {
            await withTaskGroup(of: SerialEvent?.self) { group in
                group.addTask {
                    var events = inbox.makeAsyncIterator()
                    return await events.next()
                }
                group.addTask {
                    try? await Task.sleep(for: .milliseconds(wait))
                    return nil
                }
                let first = await group.next() ?? nil
                group.cancelAll()
                // What the reader took while the alarm went off is not lost.
                var late: SerialEvent?
                for await other in group { late = late ?? other }
                return (first ?? late).map(readValues) ?? [.nil]
            }
        }
    }

    private static func next(_ inbox: SerialInbox) -> [LuaValue]? { inbox.take().map(readValues) }

    private static func readValues(_ event: SerialEvent) -> [LuaValue] {
        switch event {
        case .data(let bytes, _): [.bytes(bytes)]
        case .error(let error): [.nil, .string(error.rawValue)]
        }
    }

    /// `uart:write(data)`
    private static func write(_ call: LuaCall) throws -> LuaOutcome {
        let line = try call.resource(0, as: UARTResource.self).line
        let bytes = try call.bytes(1)
        return try call.inBackground {
            try line.write(bytes)
            return []
        }
    }
}
