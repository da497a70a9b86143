import DeviceCore

/// A gateway's first message: what it is.
public struct LNSVersion: Hashable, Sendable {
    /// The program's version.
    public var station: String
    /// The firmware's version.
    public var firmware: String
    /// The package's version.
    public var package: String
    /// The board.
    public var model: String
    /// The protocol's version; there is only 2.
    public var protocolVersion: Int64
    /// Words with blanks between: `rmtsh`, `prod`, `gps`. A gateway without remote shell does not say `rmtsh`.
    public var features: String

    /// Makes a message.
    public init(
        station: String, firmware: String = "", package: String = "", model: String, protocolVersion: Int64 = 2,
        features: String = ""
    ) {
        self.station = station
        self.firmware = firmware
        self.package = package
        self.model = model
        self.protocolVersion = protocolVersion
        self.features = features
    }

    var json: String {
        var writer = GWMPObjectWriter()
        writer.string("msgtype", "version")
        writer.string("station", station)
        writer.string("firmware", firmware)
        writer.string("package", package)
        writer.string("model", model)
        writer.integer("protocol", protocolVersion)
        writer.string("features", features)
        return writer.text
    }

    init(_ value: JSONValue) throws(LNSError) {
        self = try LNSFields.reading(value, "version") { fields throws(GWMPError) in
            LNSVersion(
                station: try fields.text("station") ?? "", firmware: try fields.text("firmware") ?? "",
                package: try fields.text("package") ?? "", model: try fields.text("model") ?? "",
                protocolVersion: try fields.required("protocol", fields.integer("protocol")),
                features: try fields.text("features") ?? "")
        }
    }
}
