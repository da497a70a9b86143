public import NIOCore

/// What follows a datagram's head.
public enum GWMPContent: Hashable, Sendable {
    /// Frames that were heard, and the gateway's report.
    case pushData(GWMPPushData)
    /// Nothing.
    case pushAck
    /// Nothing.
    case pullData
    /// A frame to send.
    case pullResp(GWMPTxpk)
    /// Nothing.
    case pullAck
    /// What became of it.
    case txAck(GWMPTxpkAck)

    /// Reads what is left of a datagram after its head.
    ///
    /// Bytes after a datagram that has no content are ignored, as Semtech's programs do.
    public init(_ type: GWMPType, _ rest: ByteBuffer) throws(GWMPError) {
        switch type {
        case .pushData: self = .pushData(try GWMPPushData(try GWMPJSON.parse(rest)))
        case .pushAck: self = .pushAck
        case .pullData: self = .pullData
        case .pullResp: self = .pullResp(try GWMPTxpk(try GWMPJSON.parse(rest)))
        case .pullAck: self = .pullAck
        case .txAck:
            // Nothing, or nothing but blanks: accepted.
            guard rest.readableBytesView.contains(where: { $0 > 0x20 }) else {
                self = .txAck(GWMPTxpkAck())
                return
            }
            self = .txAck(try GWMPTxpkAck(try GWMPJSON.parse(rest)))
        }
    }

    /// The type of the datagram that carries this.
    public var type: GWMPType {
        switch self {
        case .pushData: .pushData
        case .pushAck: .pushAck
        case .pullData: .pullData
        case .pullResp: .pullResp
        case .pullAck: .pullAck
        case .txAck: .txAck
        }
    }

    /// The JSON, empty where there is none.
    var json: String {
        switch self {
        case .pushData(let data): data.json
        case .pullResp(let frame): frame.json
        case .txAck(let ack): ack.json
        case .pushAck, .pullData, .pullAck: ""
        }
    }
}

/// A whole datagram of Semtech's UDP protocol.
public struct GWMPDatagram: Hashable, Sendable {
    /// The protocol version, 1 or 2.
    public var version: UInt8
    /// Two bytes that an answer repeats.
    public var token: UInt16
    /// The gateway, in datagrams that a gateway sends.
    public var gateway: GatewayEUI?
    /// The content.
    public var content: GWMPContent

    /// Makes a datagram.
    public init(version: UInt8 = 2, token: UInt16, gateway: GatewayEUI? = nil, content: GWMPContent) {
        self.version = version
        self.token = token
        self.gateway = gateway
        self.content = content
    }

    /// Reads a datagram. Nothing that it may hold can trap.
    public init(_ datagram: ByteBuffer) throws(GWMPError) {
        var rest = datagram
        let header = try GWMPHeader(reading: &rest)
        self.init(
            version: header.version, token: header.token, gateway: header.gateway,
            content: try GWMPContent(header.type, rest))
    }

    /// The head.
    public var header: GWMPHeader {
        GWMPHeader(version: version, token: token, type: content.type, gateway: gateway)
    }
}

extension ByteBuffer {
    /// Appends a whole datagram.
    public mutating func writeGWMP(_ datagram: GWMPDatagram) {
        writeGWMPHeader(datagram.header)
        writeString(datagram.content.json)
    }
}
