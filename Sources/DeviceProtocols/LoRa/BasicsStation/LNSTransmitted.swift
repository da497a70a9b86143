import DeviceCore

/// A `dnmsg` went on the air: `dntxed`. Frames of `dnsched` are not reported.
public struct LNSTransmitted: Hashable, Sendable {
    /// The server's number of the frame, sent as `diid` and, for old servers, as `seqno`.
    public var diid: Int64
    /// The data rate used.
    public var dataRate: UInt8
    /// The frequency used.
    public var frequency: RadioFrequency
    /// The device as the server named it.
    public var devEUI: EUI64
    /// The antenna used.
    public var rctx: Int64
    /// The radio's clock at the first symbol.
    public var xtime: LNSTime
    /// Seconds on the gateway's clock.
    public var txtime: Double
    /// Microseconds of GPS time; 0 when it is not known.
    public var gpstime: Int64

    /// Makes a message.
    public init(
        diid: Int64, dataRate: UInt8, frequency: RadioFrequency, devEUI: EUI64, rctx: Int64, xtime: LNSTime,
        txtime: Double, gpstime: Int64 = 0
    ) {
        self.diid = diid
        self.dataRate = dataRate
        self.frequency = frequency
        self.devEUI = devEUI
        self.rctx = rctx
        self.xtime = xtime
        self.txtime = txtime
        self.gpstime = gpstime
    }

    func json(capitalEUI: Bool) -> String {
        var writer = GWMPObjectWriter()
        writer.string("msgtype", "dntxed")
        writer.integer("seqno", diid)
        writer.integer("diid", diid)
        writer.integer("DR", dataRate)
        writer.integer("Freq", frequency.hertz)
        writer.string(capitalEUI ? "DevEUI" : "DevEui", devEUI.dashed)
        writer.integer("rctx", rctx)
        writer.integer("xtime", xtime.rawValue)
        writer.number("txtime", txtime)
        writer.integer("gpstime", gpstime)
        return writer.text
    }

    init(_ value: JSONValue) throws(LNSError) {
        self = try LNSFields.reading(value, "dntxed") { fields throws(GWMPError) in
            LNSTransmitted(
                diid: try fields.required("diid", fields.diid()),
                dataRate: try fields.required("DR", fields.integer("DR", in: 0...15)),
                frequency: try fields.required("Freq", fields.hertz("Freq")),
                devEUI: try fields.eui("DevEui") ?? EUI64(0), rctx: try fields.integer("rctx") ?? 0,
                xtime: LNSTime(rawValue: try fields.integer("xtime") ?? 0),
                txtime: try fields.number("txtime", in: -1e15...1e15) ?? 0, gpstime: try fields.integer("gpstime") ?? 0)
        }
    }
}
