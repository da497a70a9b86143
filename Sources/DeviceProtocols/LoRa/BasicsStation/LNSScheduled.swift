import DeviceCore

/// A frame at a fixed time: an element of `dnsched`.
public struct LNSScheduled: Hashable, Sendable {
    /// When.
    public enum Timing: Hashable, Sendable {
        /// At these microseconds of GPS time; `ontime`, in seconds, is the same.
        case gps(microseconds: UInt64)
        /// At this value of the radio's clock.
        case xtime(LNSTime)
    }

    /// Elements in one message.
    public static let limit = 128

    /// The server's number of the frame.
    public var diid: Int64
    /// Data rate and frequency.
    public var window: LNSDownlink.Window
    /// The frame.
    public var pdu: [UInt8]
    /// When.
    public var timing: Timing
    /// The antenna.
    public var rctx: Int64 = 0
    /// As in ``LNSDownlink``.
    public var priority: UInt8 = 0
    /// Symbols of the preamble; nil and 0: 8.
    public var preamble: UInt16?
    /// Whether a checksum follows.
    public var addsCRC = false

    /// Makes an element.
    public init(diid: Int64, window: LNSDownlink.Window, pdu: [UInt8], timing: Timing) {
        self.diid = diid
        self.window = window
        self.pdu = pdu
        self.timing = timing
    }

    init(_ value: JSONValue) throws(GWMPError) {
        let fields = try GWMPFields(value, "dnsched.schedule")
        let timing: Timing
        if let gpstime = try fields.unsigned("gpstime") {
            timing = .gps(microseconds: gpstime)
        } else if let seconds: UInt32 = try fields.integer("ontime") {
            timing = .gps(microseconds: UInt64(seconds) * 1_000_000)
        } else {
            timing = .xtime(LNSTime(rawValue: try fields.required("xtime", fields.integer("xtime"))))
        }
        self.init(
            diid: try fields.integer("diid") ?? 0, window: try fields.required("DR", fields.window("DR", "Freq")),
            pdu: try fields.required("pdu", fields.hex("pdu")), timing: timing)
        rctx = try fields.integer("rctx") ?? 0
        priority = try fields.integer("priority") ?? 0
        preamble = try fields.integer("preamble")
        addsCRC = try fields.truth("addcrc")
    }

    var json: String {
        var writer = GWMPObjectWriter()
        writer.integer("diid", diid)
        writer.integer("DR", window.dataRate)
        writer.integer("Freq", window.frequency.hertz)
        writer.string("pdu", HexText.bytes(pdu))
        switch timing {
        case .gps(let microseconds): writer.integer("gpstime", microseconds)
        case .xtime(let time): writer.integer("xtime", time.rawValue)
        }
        writer.integer("rctx", rctx)
        writer.integer("priority", priority)
        writer.integer("preamble", preamble)
        writer.integer("addcrc", addsCRC ? 1 : nil)
        return writer.text
    }
}
