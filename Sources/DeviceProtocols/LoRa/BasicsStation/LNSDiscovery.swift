import DeviceCore

/// The first step: `/router-info` tells a gateway where its server is.
public enum LNSDiscovery {
    /// A gateway's question.
    public static func request(_ router: EUI64) -> String { "{\"router\":\"\(router.id6)\"}" }

    /// Reads a gateway's question; it may also be a number.
    public static func router(_ text: some Sequence<UInt8>) throws(LNSError) -> EUI64 {
        try LNSFields.reading(try LNSFields.parse(text), "router-info") { fields throws(GWMPError) in
            if let number = fields.value("router")?.unsignedValue { return EUI64(number) }
            let text = try fields.required("router", fields.text("router"))
            guard let eui = EUI64(station: text) else {
                throw .unknownValue(fields.path("router"), GWMPFields.cut(text))
            }
            return eui
        }
    }

    /// A server's answer.
    public enum Answer: Hashable, Sendable {
        /// Where to connect to next.
        case uri(String, muxs: EUI64?)
        /// Why the gateway is not wanted.
        case error(String)
    }

    /// Reads a server's answer. An address that is no `ws://` or `wss://` is refused.
    public static func answer(_ text: some Sequence<UInt8>) throws(LNSError) -> Answer {
        try LNSFields.reading(try LNSFields.parse(text), "router-info") { fields throws(GWMPError) in
            if let error = try fields.text("error"), !error.isEmpty { return .error(String(error.prefix(200))) }
            let uri = try fields.required("uri", fields.text("uri"))
            guard uri.hasPrefix("ws://") || uri.hasPrefix("wss://"), uri.utf8.count <= 1024 else {
                throw .unknownValue(fields.path("uri"), GWMPFields.cut(uri))
            }
            return .uri(uri, muxs: fields.value("muxs")?.stringValue.flatMap { EUI64(station: $0) })
        }
    }

    /// A server's answer as JSON.
    public static func json(_ answer: Answer, router: EUI64) -> String {
        var writer = GWMPObjectWriter()
        writer.string("router", router.id6)
        switch answer {
        case .uri(let uri, let muxs):
            writer.string("muxs", (muxs ?? EUI64(0)).id6)
            writer.string("uri", uri)
        case .error(let error): writer.string("error", error)
        }
        return writer.text
    }
}
