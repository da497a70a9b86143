import DeviceCore
import NIOCore

/// The JSON of a datagram.
enum GWMPJSON {
    /// Nothing in this protocol nests deeper than four levels, and UDP carries no more than 64 KiB.
    private static let options = JSONParsingOptions(
        allowsComments: false, maximumDepth: 16, maximumSize: 65_536, errorCode: .protocolViolation)

    /// Parses what is left of a datagram.
    ///
    /// NUL bytes at the end, which some gateways append, are ignored. C programs print a measurement that went wrong as
    /// `nan` or `inf`, which is no JSON: those words count as `null`, so that they cost a field and not the datagram.
    static func parse(_ rest: ByteBuffer) throws(GWMPError) -> JSONValue {
        var bytes = Array(rest.readableBytesView)
        while bytes.last == 0 { bytes.removeLast() }
        do throws(DeviceError) {
            return try JSONValue(parsing: bytes, named: "JSON", options: options)
        } catch {
            if let mended = withoutNaN(bytes),
                let value = try? JSONValue(parsing: mended, named: "JSON", options: options)
            {
                return value
            }
            throw .badJSON(String(error.message.prefix(160)))
        }
    }

    private static let words = ["-nan", "nan", "-inf", "inf", "-NaN", "NaN", "-Infinity", "Infinity"].map {
        Array($0.utf8)
    }

    /// The text with `null` in the place of each such word outside of strings; nil when there is none.
    private static func withoutNaN(_ bytes: [UInt8]) -> [UInt8]? {
        var mended: [UInt8] = []
        var rest = bytes[...]
        var isString = false
        var isFound = false
        while let byte = rest.first {
            if !isString, let word = words.first(where: { rest.starts(with: $0) }) {
                mended.append(contentsOf: "null".utf8)
                rest = rest.dropFirst(word.count)
                isFound = true
                continue
            }
            mended.append(byte)
            rest = rest.dropFirst()
            if byte == UInt8(ascii: "\"") {
                isString.toggle()
            } else if byte == UInt8(ascii: "\\"), isString, let escaped = rest.first {
                mended.append(escaped)
                rest = rest.dropFirst()
            }
        }
        return isFound ? mended : nil
    }
}
