public import DeviceCore

/// Names as the DNS and hosts files have them.
public enum DNSName {
    /// The name in lower case, when it is one that can be asked for; a dot at its end stays.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` that says what is wrong.
    public static func checked(_ name: String) throws(DeviceError) -> String {
        func wrong(_ what: String, hint: String? = nil) -> DeviceError {
            DeviceError(.invalidArgument, "the name \"\(printable(name))\" \(what)", hint: hint)
        }
        guard !name.isEmpty else { throw DeviceError(.invalidArgument, "the name of the host is empty") }
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw wrong("holds letters beyond ASCII", hint: "Write it in its xn-- form")
        }
        guard name.utf8.count <= (name.utf8.last == 0x2E ? 254 : 253) else { throw wrong("is longer than 253 bytes") }
        guard isWellFormed(name.utf8) else {
            throw wrong("is no name of a host", hint: "Names hold letters, digits, - and _, with single dots between")
        }
        return name.lowercased()
    }

    /// Labels of 1 to 63 letters, digits, - or _ with dots between and perhaps one at the end.
    static func isWellFormed(_ name: some Sequence<UInt8>) -> Bool {
        var length = 0
        var count = 0
        for byte in name {
            switch byte {
            case 0x2E:
                guard length > 0 else { return false }
                length = 0
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F:
                length += 1
                guard length <= 63 else { return false }
            default: return false
            }
            count += 1
        }
        return count > 0
    }

    /// What of a peer's or person's text may be shown.
    static func printable(_ name: String) -> String {
        String(decoding: name.utf8.prefix(100).map { $0 > 0x1F && $0 < 0x7F ? $0 : 0x3F }, as: UTF8.self)
    }

    /// Whether it means this machine whatever the DNS says (RFC 6761, section 6.3).
    static func isLocalhost(_ name: String) -> Bool {
        let bare = name.hasSuffix(".") ? String(name.dropLast()) : name
        return bare == "localhost" || bare.hasSuffix(".localhost")
    }
}
