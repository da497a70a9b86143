public import DeviceCore

/// What PUSH_DATA carries: frames, a report, or both.
public struct GWMPPushData: Hashable, Sendable {
    /// Elements of `rxpk` that are looked at: no forwarder puts more than 255 into a datagram.
    public static let maximumRxpk = 256

    /// The frames that could be read, in their order.
    public var rxpk: [GWMPRxpk]
    /// The report, if there was one that could be read.
    public var stat: GWMPStat?
    /// What was wrong with those frames, and the report, that could not be read; the others are not lost with them.
    public var rejected: [GWMPError] = []

    /// Makes the content of a PUSH_DATA.
    public init(rxpk: [GWMPRxpk] = [], stat: GWMPStat? = nil) {
        self.rxpk = rxpk
        self.stat = stat
    }

    /// Reads the JSON of a PUSH_DATA. It throws only when this is no object at all.
    public init(_ value: JSONValue) throws(GWMPError) {
        let fields = try GWMPFields(value, "PUSH_DATA")
        self.init()
        if let frames = fields.value("rxpk") {
            if let elements = frames.arrayValue {
                read(elements)
            } else {
                rejected.append(.wrongKind("rxpk", found: frames.kind))
            }
        }
        guard let report = fields.value("stat") else { return }
        do throws(GWMPError) { stat = try GWMPStat(report) } catch { rejected.append(error) }
    }

    private mutating func read(_ elements: [JSONValue]) {
        for element in elements.prefix(Self.maximumRxpk) {
            do throws(GWMPError) { rxpk.append(try GWMPRxpk(element)) } catch { rejected.append(error) }
        }
        if elements.count > Self.maximumRxpk { rejected.append(.tooMany("rxpk", limit: Self.maximumRxpk)) }
    }

    /// The object as JSON on one line, without what was rejected.
    public var json: String {
        var writer = GWMPObjectWriter()
        if !rxpk.isEmpty { writer.raw("rxpk", "[\(rxpk.map(\.json).joined(separator: ","))]") }
        writer.raw("stat", stat?.json)
        return writer.text
    }
}
