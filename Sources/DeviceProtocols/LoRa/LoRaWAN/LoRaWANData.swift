/// A data frame (LoRaWAN 1.0.3, section 4.3), its payload enciphered as on the air.
public struct LoRaWANData: Hashable, Sendable {
    /// Way and kind of a data frame; the numbers are MHDR's highest three bits.
    public enum Kind: UInt8, CaseIterable, Sendable {
        /// From a device; nobody answers.
        case unconfirmedUp = 2
        /// To a device; nobody answers.
        case unconfirmedDown = 3
        /// From a device, which wants an answer.
        case confirmedUp = 4
        /// To a device, which is to answer.
        case confirmedDown = 5

        /// Up from a device or down to it.
        public var direction: LoRaWANDirection { rawValue & 1 == 0 ? .up : .down }
        /// Whether an answer is wanted.
        public var isConfirmed: Bool { rawValue >= 4 }
    }

    /// Way and kind.
    public var type: Kind
    /// The device's address.
    public var devAddr: DevAddr
    /// FCtrl's highest four bits in place; the low four, the options' length, are ignored.
    public var control: LoRaWANControl
    /// The low 16 bits of the frame counter.
    public var fCnt: UInt16
    /// MAC commands beside the payload, at most 15 bytes (FOpts).
    public var options: [UInt8]
    /// The port; nil when the frame has no payload part at all. Port 0 carries MAC commands.
    public var port: UInt8?
    /// The payload as on the air; empty without a port (FRMPayload).
    public var payload: [UInt8]
    /// The integrity code; its first byte on the air is the lowest.
    public var mic: UInt32

    /// Makes a frame; see ``LoRaWANSecurity`` for its code and cipher.
    public init(
        _ type: Kind, devAddr: DevAddr, control: LoRaWANControl = [], fCnt: UInt16, options: [UInt8] = [],
        port: UInt8? = nil, payload: [UInt8] = [], mic: UInt32 = 0
    ) {
        self.type = type
        self.devAddr = devAddr
        self.control = control
        self.fCnt = fCnt
        self.options = options
        self.port = port
        self.payload = payload
        self.mic = mic
    }

    /// Reads what begins with MHDR.
    init(_ bytes: [UInt8]) throws(LoRaWANError) {
        var reader = LoRaWANReader(bytes)
        guard let mhdr = reader.byte(), let type = Kind(rawValue: mhdr >> 5), let address = reader.integer(UInt32.self),
            let control = reader.byte(), let counter = reader.integer(UInt16.self), reader.count >= 4
        else { throw .truncated(length: bytes.count, needed: LoRaWANFrame.minimumLength) }
        let length = Int(control & 15)
        let available = reader.count - 4
        guard length <= available, let options = reader.bytes(length) else {
            throw .optionsOverrun(claimed: length, available: available)
        }
        let port = reader.count > 4 ? reader.byte() : nil
        let payload = reader.bytes(reader.count - 4) ?? []
        self.init(
            type, devAddr: DevAddr(address), control: LoRaWANControl(rawValue: control & 0xF0), fCnt: counter,
            options: options, port: port, payload: payload, mic: reader.integer(UInt32.self) ?? 0)
    }

    /// The bytes that the integrity code covers. Options beyond 15 bytes are cut.
    public var bytesWithoutMIC: [UInt8] {
        let options = self.options.prefix(15)
        var bytes: [UInt8] = [type.rawValue << 5]
        bytes.reserveCapacity(13 + options.count + payload.count)
        bytes.appendLittleEndian(devAddr.rawValue)
        bytes.append(control.rawValue & 0xF0 | UInt8(options.count))
        bytes.appendLittleEndian(fCnt)
        bytes += options
        if let port {
            bytes.append(port)
            bytes += payload
        }
        return bytes
    }

    /// The frame.
    public var bytes: [UInt8] {
        var bytes = bytesWithoutMIC
        bytes.appendLittleEndian(mic)
        return bytes
    }
}

/// The way of a frame; the numbers are those that integrity code and cipher use.
public enum LoRaWANDirection: UInt8, Sendable {
    /// From a device.
    case up = 0
    /// To a device.
    case down = 1
}

/// The flags of FCtrl (LoRaWAN 1.0.3, section 4.3.1.1). Bits 6 and 4 mean something else up than down.
public struct LoRaWANControl: OptionSet, Hashable, Sendable {
    /// The byte.
    public let rawValue: UInt8

    /// Makes flags from the byte.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The network may set, or has set, the device's data rate.
    public static let adr = LoRaWANControl(rawValue: 0x80)
    /// Up: the device asks whether the network still hears it.
    public static let adrAckRequest = LoRaWANControl(rawValue: 0x40)
    /// The last confirmed frame has arrived.
    public static let ack = LoRaWANControl(rawValue: 0x20)
    /// Up: the device listens in class B's ping slots.
    public static let classB = LoRaWANControl(rawValue: 0x10)
    /// Down: there is more to send.
    public static let framePending = LoRaWANControl(rawValue: 0x10)
}
