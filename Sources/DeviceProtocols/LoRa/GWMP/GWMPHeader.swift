public import NIOCore

/// The six datagrams of Semtech's UDP protocol (GWMP): gateways push what they hear and pull what they are to send.
public enum GWMPType: UInt8, CaseIterable, Sendable {
    /// Gateway to server: frames and reports.
    case pushData = 0
    /// Server to gateway: PUSH_DATA has arrived.
    case pushAck = 1
    /// Gateway to server: this is where frames to send may go.
    case pullData = 2
    /// Server to gateway: a frame to send.
    case pullResp = 3
    /// Server to gateway: PULL_DATA has arrived.
    case pullAck = 4
    /// Gateway to server: what became of a PULL_RESP.
    case txAck = 5

    /// Whether the gateway's EUI follows the type, as in all that a gateway sends.
    public var carriesGateway: Bool { self == .pushData || self == .pullData || self == .txAck }
    /// The datagram that the receiver answers with at once, before it looks at the content.
    public var acknowledgement: GWMPType? {
        switch self {
        case .pushData: .pushAck
        case .pullData: .pullAck
        default: nil
        }
    }
    /// The protocol's name: `PUSH_DATA`.
    public var name: String {
        switch self {
        case .pushData: "PUSH_DATA"
        case .pushAck: "PUSH_ACK"
        case .pullData: "PULL_DATA"
        case .pullResp: "PULL_RESP"
        case .pullAck: "PULL_ACK"
        case .txAck: "TX_ACK"
        }
    }
}

/// The head of a datagram: enough to acknowledge it, whatever its content is worth.
public struct GWMPHeader: Hashable, Sendable {
    /// The protocol version, 1 or 2. An answer has the same.
    public var version: UInt8
    /// Two bytes that an answer repeats. They mean nothing else.
    public var token: UInt16
    /// What follows.
    public var type: GWMPType
    /// The gateway, in datagrams that a gateway sends.
    public var gateway: GatewayEUI?

    /// Makes a head.
    public init(version: UInt8 = 2, token: UInt16, type: GWMPType, gateway: GatewayEUI? = nil) {
        self.version = version
        self.token = token
        self.type = type
        self.gateway = gateway
    }

    /// Takes the head off a datagram; the content remains.
    public init(reading datagram: inout ByteBuffer) throws(GWMPError) {
        let length = datagram.readableBytes
        guard let (version, token, byte) = datagram.readMultipleIntegers(as: (UInt8, UInt16, UInt8).self) else {
            throw .truncated(length: length, needed: 4)
        }
        guard version == 1 || version == 2 else { throw .unknownVersion(version) }
        guard let type = GWMPType(rawValue: byte) else { throw .unknownType(byte) }
        self.init(version: version, token: token, type: type)
        guard type.carriesGateway else { return }
        guard let number = datagram.readInteger(as: UInt64.self) else {
            throw .truncated(length: length, needed: 12)
        }
        gateway = GatewayEUI(number)
    }

    /// The head of the datagram that acknowledges this one; nil for types that are not acknowledged at once.
    public var acknowledgement: GWMPHeader? {
        type.acknowledgement.map { GWMPHeader(version: version, token: token, type: $0) }
    }
}

extension ByteBuffer {
    /// Appends a head. A missing EUI is written as zeros where the type carries one.
    public mutating func writeGWMPHeader(_ header: GWMPHeader) {
        writeMultipleIntegers(header.version, header.token, header.type.rawValue)
        if header.type.carriesGateway { writeInteger(header.gateway?.rawValue ?? 0) }
    }
}
