public import DeviceCore

/// A frame that a gateway heard: one element of `rxpk` in PUSH_DATA. Field names are the protocol's own.
///
/// Only what a frame is nothing without has to be there: `freq`, `modu`, `datr`, `size` and `data`.
public struct GWMPRxpk: Hashable, Sendable {
    /// Frequency (`freq`).
    public var freq: RadioFrequency
    /// Modulation and data rate (`modu`, `datr`).
    public var modulation: LoRaModulation
    /// Forward error correction; nil with FSK.
    public var codr: LoRaCodingRate?
    /// The frame's bytes, at most 255 (`size`, `data`).
    public var payload: [UInt8]
    /// The version of the JSON; only Semtech's SX1302 forwarder sends it.
    public var jver: UInt8?
    /// The concentrator's clock at the frame's end, in microseconds; starts anew after 71.6 minutes.
    public var tmst: UInt32?
    /// When the frame was received, from a gateway with a valid GPS time; nil also for a text that is no time.
    public var time: UTCTime?
    /// The same as milliseconds of GPS time: since 1980-01-06, without leap seconds.
    public var tmms: UInt64?
    /// Nanoseconds since the last full second, from an SX1303.
    public var ftime: UInt32?
    /// The IF chain that heard it.
    public var chan: UInt8?
    /// The RF chain that heard it, 0 to 15. An index from outside: check it against the radio before use.
    public var rfch: UInt8?
    /// The modem that heard it.
    public var mid: UInt8?
    /// The concentrator board, in gateways with several.
    public var brd: UInt8?
    /// The key's number for encrypted fine time stamps.
    public var aesk: UInt8?
    /// The checksum's state.
    public var stat: CRCStatus?
    /// Strength of the channel in dBm, rounded.
    public var rssi: Int16?
    /// Strength of the signal in dBm, rounded.
    public var rssis: Int16?
    /// Signal to noise ratio in dB.
    public var lsnr: Double?
    /// Distance from the channel's frequency in Hz.
    public var foff: Int32?
    /// Steps of a frequency hopping frame.
    public var hpw: UInt8?
    /// What each antenna heard, from gateways with several.
    public var rsig: [GWMPRxSignal] = []
    /// Names and values that a gateway adds.
    public var meta: [String: String] = [:]

    /// A frame with what it cannot do without; the other fields are nil.
    public init(freq: RadioFrequency, modulation: LoRaModulation, codr: LoRaCodingRate? = nil, payload: [UInt8]) {
        self.freq = freq
        self.modulation = modulation
        self.codr = codr
        self.payload = payload
    }

    /// Reads one element of `rxpk`.
    public init(_ value: JSONValue) throws(GWMPError) {
        let fields = try GWMPFields(value, "rxpk")
        self.init(
            freq: try fields.frequency(), modulation: try fields.modulation(), codr: try fields.codingRate(),
            payload: try fields.payload())
        jver = try fields.integer("jver")
        tmst = try fields.integer("tmst")
        time = try fields.time("time")
        tmms = try fields.integer("tmms")
        ftime = try fields.integer("ftime", in: 0...999_999_999)
        chan = try fields.integer("chan")
        rfch = try fields.integer("rfch", in: 0...15)
        mid = try fields.integer("mid")
        brd = try fields.integer("brd")
        aesk = try fields.integer("aesk")
        stat = try fields.integer("stat", in: -1...1).flatMap { CRCStatus(rawValue: $0) }
        rssi = try fields.rounded("rssi", in: -1000...1000)
        rssis = try fields.rounded("rssis", in: -1000...1000)
        lsnr = try fields.number("lsnr", in: -1000...1000)
        foff = try fields.integer("foff")
        hpw = try fields.integer("hpw")
        meta = try fields.metadata()
        guard let signals = fields.value("rsig") else { return }
        guard let elements = signals.arrayValue else { throw .wrongKind("rxpk.rsig", found: signals.kind) }
        guard elements.count <= 16 else { throw .tooMany("rxpk.rsig", limit: 16) }
        for element in elements { rsig.append(try GWMPRxSignal(element)) }
    }

    /// The element as JSON on one line. A payload of more than 255 bytes is written too; no receiver takes it.
    public var json: String {
        var writer = GWMPObjectWriter()
        writer.integer("jver", jver)
        writer.integer("tmst", tmst)
        writer.string("time", time?.description)
        writer.integer("tmms", tmms)
        writer.integer("ftime", ftime)
        writer.integer("chan", chan)
        writer.integer("rfch", rfch)
        writer.frequency("freq", freq)
        writer.integer("mid", mid)
        writer.integer("brd", brd)
        writer.integer("aesk", aesk)
        writer.integer("stat", stat?.rawValue)
        writer.modulation(modulation, codr)
        writer.integer("hpw", hpw)
        writer.integer("rssi", rssi)
        writer.integer("rssis", rssis)
        writer.number("lsnr", lsnr)
        writer.integer("foff", foff)
        if !rsig.isEmpty { writer.raw("rsig", "[\(rsig.map(\.json).joined(separator: ","))]") }
        writer.payload(payload)
        writer.metadata(meta)
        return writer.text
    }
}
