import DeviceCore

/// What a server sends to a gateway.
public enum LNSDownMessage: Equatable, Sendable {
    /// Channels, data rates, filters: the first message, and later ones replace it.
    case routerConfig(LNSRouterConfig)
    /// A frame for a device.
    case downlink(LNSDownlink)
    /// Frames at fixed times.
    case schedule([LNSScheduled], muxTime: Double?)
    /// GPS time in microseconds, as an answer to the gateway's question.
    case timeSync(txtime: Int64, gpstime: Int64, muxTime: Double?)
    /// GPS time in microseconds at a value of the radio's clock.
    case gpsTime(xtime: LNSTime, gpstime: Int64, muxTime: Double?)
    /// A question for the radios' clocks.
    case getXTime(muxTime: Double?)
    /// A command to run on the gateway. Never run: refused and counted.
    case runCommand
    /// A remote shell to start, stop or list. There is none: the answer is ``LNSUpMessage/noRemoteShells``.
    case remoteShell
    /// The server says what is wrong.
    case error(String)

    /// Reads a message. Nothing that it may hold can trap.
    public init(_ text: some Sequence<UInt8>) throws(LNSError) {
        let value = try LNSFields.parse(text)
        let type = value["msgtype"]?.stringValue ?? ""
        switch type {
        case "router_config": self = .routerConfig(try LNSRouterConfig(value))
        case "dnmsg": self = .downlink(try LNSDownlink(value))
        case "dnsched":
            self = try LNSFields.reading(value, type) { fields throws(GWMPError) in
                let frames = try fields.required("schedule", fields.elements("schedule", limit: LNSScheduled.limit))
                var schedule: [LNSScheduled] = []
                for frame in frames { schedule.append(try LNSScheduled(frame)) }
                return .schedule(schedule, muxTime: try fields.seconds("MuxTime"))
            }
        case "timesync":
            self = try LNSFields.reading(value, type) { fields throws(GWMPError) in
                let gpstime: Int64 = try fields.required("gpstime", fields.integer("gpstime", in: 0 ... .max))
                let muxTime = try fields.seconds("MuxTime")
                if let xtime: Int64 = try fields.integer("xtime"), xtime != 0 {
                    return .gpsTime(xtime: LNSTime(rawValue: xtime), gpstime: gpstime, muxTime: muxTime)
                }
                let txtime: Int64 = try fields.required("txtime", fields.integer("txtime"))
                return .timeSync(txtime: txtime, gpstime: gpstime, muxTime: muxTime)
            }
        case "getxtime":
            self = try LNSFields.reading(value, type) { fields throws(GWMPError) in
                .getXTime(muxTime: try fields.seconds("MuxTime"))
            }
        case "runcmd": self = .runCommand
        case "rmtsh": self = .remoteShell
        case "error": self = .error(String((value["error"]?.stringValue ?? "").prefix(200)))
        default: throw .unknownMessage(type)
        }
    }

    /// The message on one line, as a server sends it.
    public var json: String {
        var writer = GWMPObjectWriter()
        switch self {
        case .routerConfig(let config): return config.json
        case .downlink(let downlink): return downlink.json
        case .schedule(let frames, let muxTime):
            writer.string("msgtype", "dnsched")
            writer.number("MuxTime", muxTime)
            writer.raw("schedule", "[\(frames.map(\.json).joined(separator: ","))]")
        case .timeSync(let txtime, let gpstime, let muxTime):
            writer.string("msgtype", "timesync")
            writer.integer("txtime", txtime)
            writer.integer("gpstime", gpstime)
            writer.number("MuxTime", muxTime)
        case .gpsTime(let xtime, let gpstime, let muxTime):
            writer.string("msgtype", "timesync")
            writer.integer("xtime", xtime.rawValue)
            writer.integer("gpstime", gpstime)
            writer.number("MuxTime", muxTime)
        case .getXTime(let muxTime):
            writer.string("msgtype", "getxtime")
            writer.number("MuxTime", muxTime)
        case .runCommand: writer.string("msgtype", "runcmd")
        case .remoteShell: writer.string("msgtype", "rmtsh")
        case .error(let error):
            writer.string("msgtype", "error")
            writer.string("error", error)
        }
        return writer.text
    }

    /// The server's clock, in seconds since 1970, when it sent this; the gateway adds to it what passes since then and
    /// sends the sum as `RefTime`.
    public var muxTime: Double? {
        switch self {
        case .routerConfig(let config): config.muxTime
        case .downlink(let downlink): downlink.muxTime
        case .schedule(_, let time), .timeSync(_, _, let time), .gpsTime(_, _, let time), .getXTime(let time): time
        case .runCommand, .remoteShell, .error: nil
        }
    }
}
