import CNetShim
import DeviceCore

/// `ba`'s small functions about bytes and chance.
enum LuaBytes {
    static let members: [String: LuaMember] = [
        "b64encode": .function { call in .value(.string(Base64.encode(try call.bytes(0)))) },
        "b64urlencode": .function { call in
            .value(.bytes(addressSafe(try call.bytes(0))))
        },
        "b64decode": .function { call in
            guard let bytes = decoded(try call.bytes(0)) else { return .failure("invalid base64") }
            return .value(.bytes(bytes))
        },
        "urlencode": .function { call in
            var text: [UInt8] = []
            for byte in try call.bytes(0) {
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "~"):
                    text.append(byte)
                default:
                    let digits = String(byte, radix: 16, uppercase: true)
                    text += Array(("%" + (digits.count == 1 ? "0" : "") + digits).utf8)
                }
            }
            return .value(.bytes(text))
        },
        "rnd": .function { call in
            let low = call.isNil(0) ? 0 : try call.integer(0)
            let high = call.isNil(1) ? Int64(Int32.max) : try call.integer(1)
            guard low <= high else { throw LuaError(argument: 1, "interval is empty") }
            return .value(.integer(Int64.random(in: low...high)))
        },
        // Text that can be typed: letters and digits.
        "rnds": .function { call in
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
            let bytes = try random(try call.integer(0, in: 0...65536, "the length"))
            return .value(.bytes(bytes.map { alphabet[Int($0 & 63)] }))  // safe: six bits, and 64 of them
        },
        "rndbs": .function { call in .value(.bytes(try random(try call.integer(0, in: 0...65536, "the length")))) },
        "crypto": .library(LuaCrypto.library),
        "aeskey": .function(LuaCipher.makeKey),
        "aesencode": .function(LuaCipher.seal),
        "aesdecode": .function(LuaCipher.open),
    ]

    /// Base64 with the alphabet for addresses, without padding (RFC 4648, section 5).
    static func addressSafe(_ bytes: [UInt8]) -> [UInt8] {
        Base64.encode(bytes).utf8.compactMap { byte -> UInt8? in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            case UInt8(ascii: "="): nil
            default: byte
            }
        }
    }

    /// The bytes of a Base64 text in either alphabet, as the vendor's function takes them; nil for what is none.
    static func decoded(_ text: [UInt8]) -> [UInt8]? {
        let text = text.map { byte in
            byte == UInt8(ascii: "-") ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
        }
        return Base64.decode(String(decoding: text, as: UTF8.self))
    }

    static func random(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard cnet_random(&bytes, count) == 0 else { throw LuaError("no random bytes") }
        return bytes
    }
}

/// `ba.crypto.hash("sha256")(data)(true, "hex")`, and `hash("hmac", "sha256", key)`.
final class LuaHash: LuaResource {
    static let luaClass = LuaClass(
        "hash",
        methods: [
            "__call": { call in
                let hash: LuaHash = try call.resource(0)
                if call.isString(1) || !call.isTrue(1) {
                    let bytes = try call.bytes(1)
                    guard hash.bytes.count + bytes.count <= maximumBytes else {
                        throw LuaError("more than \(maximumBytes) bytes to hash")
                    }
                    hash.bytes += bytes
                    return .value(.object(try call.object(0)))
                }
                let digest = try hash.digest()
                guard !call.isNil(2), try call.string(2) == "hex" else { return .value(.bytes(digest)) }
                let digits = Array("0123456789abcdef".utf8)
                // safe: four bits, and 16 digits
                return .value(.bytes(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }))
            }
        ])

    private static let maximumBytes = 4 << 20
    private static let names: Set<String> = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]

    static let make: LuaBody = { call in
        var name = try call.string(0)
        var key: [UInt8]?
        if name == "hmac" {
            name = try call.string(1)
            key = try call.bytes(2)
        }
        guard names.contains(name) else { throw LuaError("no such hash: \(name)") }
        return .value(.object(try call.context.add(LuaHash(name, key))))
    }

    private let name: String
    private let key: [UInt8]?
    private var bytes: [UInt8] = []

    private init(_ name: String, _ key: [UInt8]?) {
        self.name = name
        self.key = key
    }

    private func digest() throws -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 64)
        let count =
            if let key {
                cnet_hmac(name, key, key.count, bytes, bytes.count, &digest)
            } else {
                cnet_hash(name, bytes, bytes.count, &digest)
            }
        guard count > 0 else { throw LuaError("OpenSSL refuses \(name)") }
        return Array(digest.prefix(Int(count)))
    }

    func close(in context: LuaContext) { bytes = [] }
}
