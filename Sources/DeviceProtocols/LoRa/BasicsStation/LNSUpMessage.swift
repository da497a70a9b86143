import DeviceCore

/// What a gateway sends to its server.
public enum LNSUpMessage: Hashable, Sendable {
    /// The first message.
    case version(LNSVersion)
    /// A frame.
    case uplink(LNSUplink)
    /// A frame was sent.
    case transmitted(LNSTransmitted)
    /// A question for GPS time, with the gateway's own clock in microseconds.
    case timeSync(txtime: Int64)
    /// The radios' clocks, as the server asked for: one for each radio unit.
    case xtimes([LNSTime], muxTime: Double, ustime: Double, utcTime: Double)
    /// The remote shells that run: none, ever.
    case noRemoteShells

    /// The message on one line; nil for an uplink that the protocol does not carry.
    public func json(capitalEUI: Bool = false) -> String? {
        var writer = GWMPObjectWriter()
        switch self {
        case .version(let version): return version.json
        case .uplink(let uplink): return uplink.json(capitalEUI: capitalEUI)
        case .transmitted(let transmitted): return transmitted.json(capitalEUI: capitalEUI)
        case .timeSync(let txtime):
            writer.string("msgtype", "timesync")
            writer.integer("txtime", txtime)
        case .xtimes(let times, let muxTime, let ustime, let utcTime):
            writer.string("msgtype", "getxtime")
            writer.number("MuxTime", muxTime)
            writer.number("ustime", ustime)
            writer.number("UTCtime", utcTime)
            writer.raw("xtimes", "[\(times.map { "\($0.rawValue)" }.joined(separator: ","))]")
        case .noRemoteShells:
            writer.string("msgtype", "rmtsh")
            writer.raw("rmtsh", "[]")
        }
        return writer.text
    }

    /// Reads a message as a server does. Nothing that it may hold can trap.
    public init(_ text: some Sequence<UInt8>) throws(LNSError) {
        let value = try LNSFields.parse(text)
        let type = value["msgtype"]?.stringValue ?? ""
        switch type {
        case "version": self = .version(try LNSVersion(value))
        case "updf", "jreq", "rejoin", "propdf": self = .uplink(try LNSUplink(value, type: type))
        case "dntxed": self = .transmitted(try LNSTransmitted(value))
        case "timesync":
            self = try LNSFields.reading(value, type) { fields throws(GWMPError) in
                .timeSync(txtime: try fields.required("txtime", fields.integer("txtime")))
            }
        case "getxtime":
            self = try LNSFields.reading(value, type) { fields throws(GWMPError) in
                let times = try fields.elements("xtimes", limit: 128) ?? []
                return .xtimes(
                    times.map { LNSTime(rawValue: $0.integerValue ?? 0) }, muxTime: try fields.seconds("MuxTime") ?? 0,
                    ustime: try fields.seconds("ustime") ?? 0, utcTime: try fields.seconds("UTCtime") ?? 0)
            }
        case "rmtsh": self = .noRemoteShells
        default: throw .unknownMessage(type)
        }
    }
}
