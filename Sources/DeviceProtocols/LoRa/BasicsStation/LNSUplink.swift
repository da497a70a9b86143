import DeviceCore

/// A frame that a gateway heard: `updf`, `jreq`, `rejoin` or `propdf`.
public struct LNSUplink: Hashable, Sendable {
    /// How and when it was heard: `upinfo`.
    public struct Info: Hashable, Sendable {
        /// The antenna, which a downlink repeats.
        public var rctx: Int64
        /// The radio's clock at the frame's end.
        public var xtime: LNSTime
        /// The same in microseconds of GPS time; 0 when it is not known.
        public var gpstime: Int64
        /// Nanoseconds since the last full second; -1 when they are not measured.
        public var fts: Int64
        /// Strength in dBm.
        public var rssi: Double
        /// Signal to noise ratio in dB.
        public var snr: Double
        /// Seconds since 1970 when the gateway handled it.
        public var rxtime: Double

        /// Makes what is known.
        public init(
            rctx: Int64 = 0, xtime: LNSTime, gpstime: Int64 = 0, fts: Int64 = -1, rssi: Double, snr: Double = 0,
            rxtime: Double = 0
        ) {
            self.rctx = rctx
            self.xtime = xtime
            self.gpstime = gpstime
            self.fts = fts
            self.rssi = rssi
            self.snr = snr
            self.rxtime = rxtime
        }
    }

    /// The frame: data up, a join-request, a rejoin-request of 23 bytes, or a proprietary one.
    public var frame: LoRaWANFrame
    /// The data rate's number in the server's `router_config` (`DR`).
    public var dataRate: UInt8
    /// Frequency (`Freq`).
    public var frequency: RadioFrequency
    /// The server's last `MuxTime` plus the time since then; 0 without one. Servers measure the round trip by it.
    public var refTime: Double
    /// How it was heard.
    public var info: Info

    /// Makes a message.
    public init(frame: LoRaWANFrame, dataRate: UInt8, frequency: RadioFrequency, refTime: Double = 0, info: Info) {
        self.frame = frame
        self.dataRate = dataRate
        self.frequency = frequency
        self.refTime = refTime
        self.info = info
    }

    /// The message on one line; nil for a frame that the protocol does not carry up: a downlink, or a rejoin-request
    /// of another length than 23 bytes.
    ///
    /// - Parameter capitalEUI: `DevEUI` instead of `DevEui`, for servers that say `JoinEUI` in their configuration.
    public func json(capitalEUI: Bool = false) -> String? {
        var writer = GWMPObjectWriter()
        let eui = capitalEUI ? "EUI" : "Eui"
        switch frame {
        case .data(let data):
            guard data.type.direction == .up else { return nil }
            writer.string("msgtype", "updf")
            writer.integer("MHdr", data.type.rawValue << 5)
            writer.integer("DevAddr", Int32(bitPattern: data.devAddr.rawValue))
            writer.integer("FCtrl", data.control.rawValue & 0xF0 | UInt8(min(data.options.count, 15)))
            writer.integer("FCnt", data.fCnt)
            writer.string("FOpts", HexText.bytes(data.options))
            writer.integer("FPort", data.port.map { Int($0) } ?? -1)
            writer.string("FRMPayload", HexText.bytes(data.payload))
            writer.integer("MIC", Int32(bitPattern: data.mic))
        case .joinRequest(let request): Self.write(request, "jreq", 0, eui, &writer)
        case .rejoinRequest(let rest):
            guard let request = try? LoRaWANJoinRequest([0xC0] + rest) else { return nil }
            Self.write(request, "rejoin", 0xC0, eui, &writer)
        case .proprietary:
            writer.string("msgtype", "propdf")
            writer.string("FRMPayload", HexText.bytes(frame.bytes))
        case .joinAccept: return nil
        }
        writer.number("RefTime", refTime)
        writer.integer("DR", dataRate)
        writer.integer("Freq", frequency.hertz)
        writer.raw("upinfo", info.json)
        return writer.text
    }

    private static func write(
        _ request: LoRaWANJoinRequest, _ type: String, _ header: UInt8, _ eui: String, _ writer: inout GWMPObjectWriter
    ) {
        writer.string("msgtype", type)
        writer.integer("MHdr", header)
        writer.string("Join\(eui)", request.joinEUI.dashed)
        writer.string("Dev\(eui)", request.devEUI.dashed)
        writer.integer("DevNonce", request.devNonce)
        writer.integer("MIC", Int32(bitPattern: request.mic))
    }

    /// Reads a message of that type, as a server does.
    init(_ value: JSONValue, type: String) throws(LNSError) {
        self = try LNSFields.reading(value, type) { fields throws(GWMPError) in
            let frame: LoRaWANFrame =
                switch type {
                case "updf": .data(try Self.data(fields))
                case "propdf": try Self.proprietary(fields)
                default: try Self.join(fields, isRejoin: type == "rejoin")
                }
            return LNSUplink(
                frame: frame, dataRate: try fields.required("DR", fields.integer("DR", in: 0...15)),
                frequency: try fields.required("Freq", fields.hertz("Freq")),
                refTime: try fields.seconds("RefTime") ?? 0,
                info: try Info(try fields.required("upinfo", fields.value("upinfo"))))
        }
    }

    private static func data(_ fields: GWMPFields) throws(GWMPError) -> LoRaWANData {
        let header: UInt8 = try fields.required("MHdr", fields.integer("MHdr"))
        guard let type = LoRaWANData.Kind(rawValue: header >> 5), type.direction == .up else {
            throw .outOfRange(fields.path("MHdr"))
        }
        let port: Int = try fields.required("FPort", fields.integer("FPort", in: -1...255))
        return LoRaWANData(
            type, devAddr: DevAddr(try fields.required("DevAddr", fields.signed32("DevAddr"))),
            control: LoRaWANControl(rawValue: try fields.required("FCtrl", fields.integer("FCtrl")) & 0xF0),
            fCnt: try fields.required("FCnt", fields.integer("FCnt")),
            options: try fields.hex("FOpts", limit: 15) ?? [], port: port < 0 ? nil : UInt8(port),
            payload: try fields.hex("FRMPayload") ?? [], mic: try fields.required("MIC", fields.signed32("MIC")))
    }

    private static func join(_ fields: GWMPFields, isRejoin: Bool) throws(GWMPError) -> LoRaWANFrame {
        let request = LoRaWANJoinRequest(
            joinEUI: try fields.required("JoinEui", fields.eui("JoinEui")),
            devEUI: try fields.required("DevEui", fields.eui("DevEui")),
            devNonce: try fields.required("DevNonce", fields.integer("DevNonce")),
            mic: try fields.required("MIC", fields.signed32("MIC")))
        return isRejoin ? .rejoinRequest(Array(request.bytes.dropFirst())) : .joinRequest(request)
    }

    private static func proprietary(_ fields: GWMPFields) throws(GWMPError) -> LoRaWANFrame {
        let bytes = try fields.required("FRMPayload", fields.hex("FRMPayload"))
        guard case .proprietary? = try? LoRaWANFrame(bytes) else { throw .outOfRange(fields.path("FRMPayload")) }
        return .proprietary(mhdr: bytes[0], Array(bytes.dropFirst()))  // safe: a frame has a first byte
    }
}

extension LNSUplink.Info {
    var json: String {
        var writer = GWMPObjectWriter()
        writer.integer("rctx", rctx)
        writer.integer("xtime", xtime.rawValue)
        writer.integer("gpstime", gpstime)
        writer.integer("fts", fts)
        writer.number("rssi", rssi)
        writer.number("snr", snr)
        writer.number("rxtime", rxtime)
        return writer.text
    }

    init(_ value: JSONValue) throws(GWMPError) {
        let fields = try GWMPFields(value, "upinfo")
        self.init(
            rctx: try fields.integer("rctx") ?? 0,
            xtime: LNSTime(rawValue: try fields.required("xtime", fields.integer("xtime"))),
            gpstime: try fields.integer("gpstime") ?? 0, fts: try fields.integer("fts") ?? -1,
            rssi: try fields.number("rssi", in: -1000...1000) ?? 0,
            snr: try fields.number("snr", in: -1000...1000) ?? 0,
            rxtime: try fields.seconds("rxtime") ?? 0)
    }
}
