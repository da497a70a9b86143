import DeviceCore

/// What one antenna heard of a frame: an element of `rsig`, which gateways of Semtech's "v2" design send.
public struct GWMPRxSignal: Hashable, Sendable {
    /// The antenna's number.
    public var ant: UInt8?
    /// The IF chain.
    public var chan: UInt8?
    /// Strength of the channel in dBm, rounded.
    public var rssic: Int16?
    /// Strength of the signal in dBm, rounded.
    public var rssis: Int16?
    /// Standard deviation of the signal's strength in dB.
    public var rssisd: UInt16?
    /// Signal to noise ratio in dB.
    public var lsnr: Double?
    /// The encrypted fine time stamp.
    public var etime: [UInt8]?
    /// Nanoseconds since the last full second.
    public var ftime: UInt32?
    /// Distance from the channel's frequency in Hz.
    public var foff: Int32?
    /// State of the fine time stamp.
    public var ftstat: UInt8?
    /// Version of the fine time stamp.
    public var ftver: UInt8?
    /// Nanoseconds between the first and second fine time stamp.
    public var ftdelta: Int32?

    /// A signal of which nothing is known.
    public init() {}

    init(_ value: JSONValue) throws(GWMPError) {
        let fields = try GWMPFields(value, "rxpk.rsig")
        ant = try fields.integer("ant")
        chan = try fields.integer("chan")
        rssic = try fields.rounded("rssic", in: -1000...1000)
        rssis = try fields.rounded("rssis", in: -1000...1000)
        rssisd = try fields.rounded("rssisd", in: 0...1000)
        lsnr = try fields.number("lsnr", in: -1000...1000)
        etime = try fields.base64("etime", limit: 64)
        ftime = try fields.integer("ftime", in: 0...999_999_999)
        foff = try fields.integer("foff")
        ftstat = try fields.integer("ftstat")
        ftver = try fields.integer("ftver")
        ftdelta = try fields.integer("ftdelta")
    }

    var json: String {
        var writer = GWMPObjectWriter()
        writer.integer("ant", ant)
        writer.integer("chan", chan)
        writer.integer("rssic", rssic)
        writer.integer("rssis", rssis)
        writer.integer("rssisd", rssisd)
        writer.number("lsnr", lsnr)
        writer.string("etime", etime.map { Base64.encode($0) })
        writer.integer("ftime", ftime)
        writer.integer("foff", foff)
        writer.integer("ftstat", ftstat)
        writer.integer("ftver", ftver)
        writer.integer("ftdelta", ftdelta)
        return writer.text
    }
}
