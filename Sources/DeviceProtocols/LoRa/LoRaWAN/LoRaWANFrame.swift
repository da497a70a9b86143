/// A LoRaWAN frame as it is on the air, PHYPayload (LoRaWAN 1.0.3 specification, section 4). Payloads stay enciphered.
///
/// Numbers are little-endian on the air. Nothing that bytes may hold can trap.
public enum LoRaWANFrame: Hashable, Sendable {
    /// A device asks for a session.
    case joinRequest(LoRaWANJoinRequest)
    /// A network grants one: what follows MHDR is enciphered, its integrity code included; see
    /// ``LoRaWANSecurity/openJoinAccept(_:key:)``.
    case joinAccept(enciphered: [UInt8])
    /// Data, up or down.
    case data(LoRaWANData)
    /// LoRaWAN 1.1's request to join again: all that follows MHDR.
    case rejoinRequest([UInt8])
    /// Somebody's own format: all that follows MHDR, whose low five bits are theirs too.
    case proprietary(mhdr: UInt8, [UInt8])

    /// The longest frame that a LoRa modem carries.
    public static let maximumLength = 255
    /// The shortest frame of LoRaWAN that is not proprietary: MHDR, FHDR and MIC.
    public static let minimumLength = 12

    /// Reads a frame.
    public init(_ bytes: [UInt8]) throws(LoRaWANError) {
        var reader = LoRaWANReader(bytes)
        guard bytes.count <= Self.maximumLength else { throw .wrongLength(bytes.count) }
        guard let mhdr = reader.byte() else { throw .truncated(length: 0, needed: 1) }
        if mhdr >> 5 == 7 {
            self = .proprietary(mhdr: mhdr, reader.remainder())
            return
        }
        guard bytes.count >= Self.minimumLength else {
            throw .truncated(length: bytes.count, needed: Self.minimumLength)
        }
        guard mhdr & 3 == 0 else { throw .unknownMajor(mhdr & 3) }
        switch mhdr >> 5 {
        case 0: self = .joinRequest(try LoRaWANJoinRequest(bytes))
        case 1:
            // A block of AES, or two with a list of channels.
            guard bytes.count == 17 || bytes.count == 33 else { throw .wrongLength(bytes.count) }
            self = .joinAccept(enciphered: reader.remainder())
        case 6: self = .rejoinRequest(reader.remainder())
        default: self = .data(try LoRaWANData(bytes))
        }
    }

    /// The frame's bytes. Parts that are longer than their field are cut to it.
    public var bytes: [UInt8] {
        switch self {
        case .joinRequest(let request): request.bytes
        case .joinAccept(let enciphered): [0x20] + enciphered
        case .data(let data): data.bytes
        case .rejoinRequest(let rest): [0xC0] + rest
        case .proprietary(let mhdr, let rest): [mhdr | 0xE0] + rest
        }
    }

    /// Whether devices send frames of this kind; nil for proprietary ones, which both may.
    public var isUplink: Bool? {
        switch self {
        case .joinRequest, .rejoinRequest: true
        case .joinAccept: false
        case .data(let data): data.type.direction == .up
        case .proprietary: nil
        }
    }
}
