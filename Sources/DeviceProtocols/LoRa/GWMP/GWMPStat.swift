public import DeviceCore

/// What a gateway says about itself: `stat` in PUSH_DATA. All counts are since its last report.
public struct GWMPStat: Hashable, Sendable {
    /// The gateway's clock; nil also for a text that is no time.
    public var time: UTCTime?
    /// Latitude in degrees, north positive.
    public var lati: Double?
    /// Longitude in degrees, east positive.
    public var long: Double?
    /// Altitude in metres, rounded.
    public var alti: Int32?
    /// Frames heard.
    public var rxnb: UInt32?
    /// Frames heard with a right checksum.
    public var rxok: UInt32?
    /// Frames forwarded.
    public var rxfw: UInt32?
    /// Percentage of datagrams to the server that were acknowledged.
    public var ackr: Double?
    /// Datagrams from the server.
    public var dwnb: UInt32?
    /// Frames sent on the air.
    public var txnb: UInt32?
    /// Temperature of the concentrator in degrees Celsius.
    public var temp: Double?
    /// Platform, from forwarders of the years around 2016.
    public var pfrm: String?
    /// The owner's address, from the same.
    public var mail: String?
    /// A description, from the same.
    public var desc: String?
    /// Names and values that a gateway adds.
    public var meta: [String: String] = [:]

    /// A report that says nothing.
    public init() {}

    /// Reads `stat`.
    public init(_ value: JSONValue) throws(GWMPError) {
        let fields = try GWMPFields(value, "stat")
        time = try fields.time("time")
        lati = try fields.number("lati", in: -90...90)
        long = try fields.number("long", in: -180...180)
        alti = try fields.rounded("alti", in: -100_000...1_000_000)
        rxnb = try fields.integer("rxnb")
        rxok = try fields.integer("rxok")
        rxfw = try fields.integer("rxfw")
        ackr = try fields.number("ackr", in: 0...1000)
        dwnb = try fields.integer("dwnb")
        txnb = try fields.integer("txnb")
        temp = try fields.number("temp", in: -300...1000)
        pfrm = try fields.text("pfrm")
        mail = try fields.text("mail")
        desc = try fields.text("desc")
        meta = try fields.metadata()
    }

    /// The object as JSON on one line.
    public var json: String {
        var writer = GWMPObjectWriter()
        writer.string("time", time?.statText)
        writer.number("lati", lati)
        writer.number("long", long)
        writer.integer("alti", alti)
        writer.integer("rxnb", rxnb)
        writer.integer("rxok", rxok)
        writer.integer("rxfw", rxfw)
        writer.number("ackr", ackr)
        writer.integer("dwnb", dwnb)
        writer.integer("txnb", txnb)
        writer.number("temp", temp)
        writer.string("pfrm", pfrm)
        writer.string("mail", mail)
        writer.string("desc", desc)
        writer.metadata(meta)
        return writer.text
    }
}
