public import DeviceCore

/// A frame that a gateway is to send: `txpk` in PULL_RESP. Field names are the protocol's own.
public struct GWMPTxpk: Hashable, Sendable {
    /// When the frame goes on the air.
    public enum Timing: Hashable, Sendable {
        /// As soon as there is room (`imme`): class C.
        case immediately
        /// When the concentrator's clock has this many microseconds (`tmst`): class A.
        case counter(UInt32)
        /// At these milliseconds of GPS time (`tmms`): class B.
        case gps(milliseconds: UInt64)
    }

    /// When. `imme` goes before `tmst`, which goes before `tmms`, as in Semtech's forwarder.
    public var timing: Timing
    /// Frequency (`freq`).
    public var freq: RadioFrequency
    /// The RF chain, 0 to 15. An index from outside: check it against the radio before use.
    public var rfch: UInt8
    /// Power in dBm, rounded; the radio's own choice when nil.
    public var powe: Int8?
    /// Modulation and data rate (`modu`, `datr`).
    public var modulation: LoRaModulation
    /// Forward error correction; has to be there with LoRa.
    public var codr: LoRaCodingRate?
    /// Frequency deviation in Hz, for FSK.
    public var fdev: UInt32?
    /// Inverted polarity, which LoRaWAN devices expect.
    public var ipol: Bool
    /// Symbols of the preamble; the radio's own choice when nil.
    public var prea: UInt16?
    /// The frame's bytes, at most 255 (`size`, `data`).
    public var payload: [UInt8]
    /// No checksum after the payload.
    public var ncrc: Bool
    /// No header.
    public var nhdr: Bool
    /// The concentrator board, in gateways with several.
    public var brd: UInt8?
    /// The antenna, in gateways with several.
    public var ant: UInt8?

    /// Makes a frame to send.
    public init(
        timing: Timing, freq: RadioFrequency, rfch: UInt8 = 0, powe: Int8? = nil, modulation: LoRaModulation,
        codr: LoRaCodingRate? = nil, ipol: Bool = false, payload: [UInt8], ncrc: Bool = false, nhdr: Bool = false
    ) {
        self.timing = timing
        self.freq = freq
        self.rfch = rfch
        self.powe = powe
        self.modulation = modulation
        self.codr = codr
        self.ipol = ipol
        self.payload = payload
        self.ncrc = ncrc
        self.nhdr = nhdr
    }

    /// Reads the JSON of a PULL_RESP, `{"txpk":{...}}`.
    public init(_ value: JSONValue) throws(GWMPError) {
        let outer = try GWMPFields(value, "PULL_RESP")
        let fields = try GWMPFields(try outer.required("txpk", outer.value("txpk")), "txpk")
        self.init(
            timing: try Self.timing(fields), freq: try fields.frequency(),
            rfch: try fields.required("rfch", fields.integer("rfch", in: 0...15)),
            powe: try fields.rounded("powe", in: -100...100), modulation: try fields.modulation(),
            codr: try fields.codingRate(), ipol: try fields.flag("ipol") ?? false, payload: try fields.payload(),
            ncrc: try fields.flag("ncrc") ?? false, nhdr: try fields.flag("nhdr") ?? false)
        if case .lora = modulation { _ = try fields.required("codr", codr) }
        fdev = try fields.integer("fdev")
        prea = try fields.integer("prea")
        brd = try fields.integer("brd")
        ant = try fields.integer("ant")
    }

    private static func timing(_ fields: GWMPFields) throws(GWMPError) -> Timing {
        if try fields.flag("imme") == true { return .immediately }
        if let counter: UInt32 = try fields.integer("tmst") { return .counter(counter) }
        if let milliseconds: UInt64 = try fields.integer("tmms") { return .gps(milliseconds: milliseconds) }
        throw .missing("txpk.tmst")
    }

    /// The JSON of a PULL_RESP on one line.
    public var json: String {
        var writer = GWMPObjectWriter()
        switch timing {
        case .immediately: writer.flag("imme", true)
        case .counter(let counter): writer.integer("tmst", counter)
        case .gps(let milliseconds): writer.integer("tmms", milliseconds)
        }
        writer.frequency("freq", freq)
        writer.integer("rfch", rfch)
        writer.integer("powe", powe)
        writer.modulation(modulation, codr)
        writer.integer("fdev", fdev)
        writer.flag("ipol", ipol)
        writer.integer("prea", prea)
        writer.payload(payload)
        // Left out when false, as servers do: old forwarders know none of these.
        writer.flag("ncrc", ncrc ? true : nil)
        writer.flag("nhdr", nhdr ? true : nil)
        writer.integer("brd", brd)
        writer.integer("ant", ant)
        return "{\"txpk\":\(writer.text)}"
    }
}
