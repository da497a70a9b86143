import DeviceCore

/// A frame for a device: `dnmsg`.
public struct LNSDownlink: Hashable, Sendable {
    /// How the device listens, `dC`.
    public enum DeviceClass: Int, Sendable {
        /// After its own uplinks.
        case a = 0
        /// In ping slots of GPS time.
        case b = 1
        /// Always.
        case c = 2
    }

    /// Data rate and frequency of a receive window.
    public struct Window: Hashable, Sendable {
        /// The data rate's number in `router_config`.
        public var dataRate: UInt8
        /// The frequency.
        public var frequency: RadioFrequency

        /// Makes a window.
        public init(dataRate: UInt8, frequency: RadioFrequency) {
            self.dataRate = dataRate
            self.frequency = frequency
        }
    }

    /// The device, for the report; the frame knows nothing of it.
    public var devEUI: EUI64
    /// How it listens.
    public var deviceClass: DeviceClass
    /// The server's number of the frame.
    public var diid: Int64
    /// The frame.
    public var pdu: [UInt8]
    /// Seconds from the uplink to the first window; the message's 0 and none are 1. 0 with `DR` and `Freq`, the form of
    /// class B.
    public var rxDelay: UInt8 = 1
    /// The first window (`RX1DR`, `RX1Freq`, or `DR`, `Freq`).
    public var rx1: Window?
    /// The second window (`RX2DR`, `RX2Freq`).
    public var rx2: Window?
    /// 0 to 255, the highest first. Read, and without effect here: who comes first is sent.
    public var priority: UInt8 = 0
    /// The uplink's `xtime`.
    public var xtime: LNSTime?
    /// The uplink's antenna.
    public var rctx: Int64?
    /// The time of class B's ping slot, in microseconds of GPS time.
    public var gpstime: UInt64?
    /// Symbols of the preamble; nil and 0: 8.
    public var preamble: UInt16?
    /// Whether a checksum follows.
    public var addsCRC = false
    /// The server's clock, in seconds since 1970.
    public var muxTime: Double?

    /// Makes a message.
    public init(devEUI: EUI64, deviceClass: DeviceClass, diid: Int64, pdu: [UInt8]) {
        self.devEUI = devEUI
        self.deviceClass = deviceClass
        self.diid = diid
        self.pdu = pdu
    }

    /// Reads the message.
    init(_ value: JSONValue) throws(LNSError) {
        self = try LNSFields.reading(value, "dnmsg") { fields throws(GWMPError) in
            let number: Int = try fields.required("dC", fields.integer("dC", in: 0...2))
            var message = LNSDownlink(
                devEUI: try fields.required("DevEui", fields.eui("DevEui")),
                deviceClass: DeviceClass(rawValue: number) ?? .a,
                diid: try fields.required("diid", fields.diid()),
                pdu: try fields.required("pdu", fields.hex("pdu")))
            message.rxDelay = max(1, try fields.integer("RxDelay", in: 0...15) ?? 1)
            message.rx1 = try fields.window("RX1DR", "RX1Freq")
            if let window = try fields.window("DR", "Freq") {
                message.rx1 = window
                message.rxDelay = 0
            }
            message.rx2 = try fields.window("RX2DR", "RX2Freq")
            message.priority = try fields.integer("priority") ?? 0
            message.xtime = try fields.integer("xtime").flatMap { $0 == 0 ? nil : LNSTime(rawValue: $0) }
            // A server may hold it as a number without sign.
            message.rctx = fields.value("rctx").flatMap { value in
                value.integerValue ?? value.unsignedValue.map { Int64(bitPattern: $0) }
            }
            message.gpstime = try fields.unsigned("gpstime")
            message.preamble = try fields.integer("preamble")
            message.addsCRC = try fields.truth("addcrc")
            message.muxTime = try fields.seconds("MuxTime")
            return message
        }
    }

    /// The message on one line.
    var json: String {
        var writer = GWMPObjectWriter()
        writer.string("msgtype", "dnmsg")
        writer.string("DevEui", devEUI.dashed)
        writer.integer("dC", deviceClass.rawValue)
        writer.integer("diid", diid)
        writer.string("pdu", HexText.bytes(pdu))
        if rxDelay > 0 { writer.integer("RxDelay", rxDelay) }
        writer.integer(rxDelay > 0 ? "RX1DR" : "DR", rx1?.dataRate)
        writer.integer(rxDelay > 0 ? "RX1Freq" : "Freq", rx1?.frequency.hertz)
        writer.integer("RX2DR", rx2?.dataRate)
        writer.integer("RX2Freq", rx2?.frequency.hertz)
        writer.integer("priority", priority)
        writer.integer("xtime", xtime?.rawValue)
        writer.integer("rctx", rctx)
        writer.integer("gpstime", gpstime)
        writer.integer("preamble", preamble)
        writer.integer("addcrc", addsCRC ? 1 : nil)
        writer.number("MuxTime", muxTime)
        return writer.text
    }
}
