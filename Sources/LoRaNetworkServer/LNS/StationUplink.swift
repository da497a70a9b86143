import DeviceCore
import DeviceProtocols

/// Reads what Basics Station reports of frames (LNS protocol, `updf`, `jreq`, `propdf`) and puts the frames together
/// again, byte for byte.
enum StationUplink {
    /// The frame's bytes; nil when a field is missing or does not fit.
    static func frame(_ kind: String, _ message: JSONValue) -> [UInt8]? {
        switch kind {
        case "updf": data(message)
        case "jreq": join(message)
        case "propdf": message["FRMPayload"]?.stringValue.flatMap(bytes)
        default: nil
        }
    }

    private static func data(_ message: JSONValue) -> [UInt8]? {
        guard let mhdr = number(message["MHdr"], UInt8.self), let address = signed(message["DevAddr"]),
            let control = number(message["FCtrl"], UInt8.self), let counter = number(message["FCnt"], UInt16.self),
            let options = message["FOpts"]?.stringValue.flatMap(bytes),
            let port = message["FPort"]?.integerValue, (-1...255).contains(port),
            let payload = message["FRMPayload"]?.stringValue.flatMap(bytes), let mic = signed(message["MIC"])
        else { return nil }
        var frame = [mhdr] + little(address) + [control] + little(counter) + options
        if port >= 0 { frame.append(UInt8(port)) }
        return frame + payload + little(mic)
    }

    private static func join(_ message: JSONValue) -> [UInt8]? {
        guard let mhdr = number(message["MHdr"], UInt8.self), let join = eui(message["JoinEui"]),
            let device = eui(message["DevEui"]), let nonce = number(message["DevNonce"], UInt16.self),
            let mic = signed(message["MIC"])
        else { return nil }
        return [mhdr] + little(join) + little(device) + little(nonce) + little(mic)
    }

    private static func number<Value: FixedWidthInteger>(_ value: JSONValue?, _: Value.Type) -> Value? {
        value?.integerValue.flatMap { Value(exactly: $0) }
    }

    /// DevAddr and MIC are signed numbers of 32 bits.
    private static func signed(_ value: JSONValue?) -> UInt32? {
        number(value, Int32.self).map { UInt32(bitPattern: $0) }
    }

    /// `01-02-03-04-05-06-07-08`.
    private static func eui(_ value: JSONValue?) -> UInt64? {
        guard let text = value?.stringValue, text.utf8.count == 23 else { return nil }
        return EUI64(text.split(separator: "-").joined())?.rawValue
    }

    private static func bytes(_ text: String) -> [UInt8]? { HexText.bytes(from: text) }

    private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
    }
}
