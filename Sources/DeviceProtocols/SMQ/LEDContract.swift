public import NIOCore

/// The public SMQ LED demo's contract: topics, messages and their forms.
///
/// Source: the vendor's LED demo clients (device in C, pages in JavaScript) and a recorded session. Devices and pages
/// of that demo work with ours unchanged, in both directions.
public enum LEDContract {
    /// Pages ask here for devices; the payload ("Hello") means nothing.
    public static let displayTopic = "/m2m/led/display"
    /// Devices describe themselves and echo switched LEDs here.
    public static let deviceTopic = "/m2m/led/device"
    /// Sub-topic of ``deviceTopic``, and of a device's answer to one page: the description.
    public static let infoSubtopic = "devinfo"
    /// Sub-topic of ``deviceTopic``: two bytes, LED id and state.
    public static let ledSubtopic = "led"
    /// Devices publish their temperature here: a 16-bit integer, tenths of a degree Celsius.
    public static let temperatureTopic = "/m2m/temp"

    /// A LED and the state that it should have, or has now.
    public struct Switch: Hashable, Sendable {
        /// 1 to N, in the order of the device's list.
        public var id: Int
        /// Lit or not.
        public var isOn: Bool

        /// Makes a command or an echo.
        public init(id: Int, isOn: Bool) {
            self.id = id
            self.isOn = isOn
        }

        /// Reads a command or an echo; nil for anything but two bytes with a state of 0 or 1.
        public init?(_ payload: ByteBuffer) {
            guard payload.readableBytes == 2, let id = payload.getInteger(at: payload.readerIndex, as: UInt8.self),
                let state = payload.getInteger(at: payload.readerIndex + 1, as: UInt8.self), state <= 1
            else { return nil }
            self.init(id: Int(id), isOn: state == 1)
        }

        /// The two bytes.
        public var payload: ByteBuffer {
            ByteBuffer(bytes: [UInt8(truncatingIfNeeded: id), isOn ? 1 : 0])
        }
    }

    /// A temperature as it is published; limited to what 16 bits hold.
    public static func temperaturePayload(tenths: Int) -> ByteBuffer {
        ByteBuffer(integer: Int16(clamping: tenths))
    }

    /// The demo's credentials: SHA-1 of the password's bytes and of the seed as four little-endian bytes.
    ///
    /// - Parameter sha1: the hash, which codecs take from outside.
    public static func credentials(
        password: String, seed: UInt32, sha1: ([UInt8]) throws -> [UInt8]
    ) rethrows -> [UInt8] {
        try sha1(Array(password.utf8) + withUnsafeBytes(of: seed.littleEndian) { Array($0) })
    }
}
