// White space, comments, and where an error is.
extension JSONParser {
    /// Steps over white space and, if allowed, comments.
    mutating func skipBlanks() throws(DeviceError) {
        while let byte = current {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                position += 1
            case UInt8(ascii: "/") where options.allowsComments && peek(1) == UInt8(ascii: "/"):
                while let byte = current, byte != UInt8(ascii: "\n"), byte != UInt8(ascii: "\r") { position += 1 }
            case UInt8(ascii: "/") where options.allowsComments && peek(1) == UInt8(ascii: "*"):
                try skipBlockComment()
            default: return
            }
        }
    }

    private mutating func skipBlockComment() throws(DeviceError) {
        let start = position
        position += 2
        while !(current == UInt8(ascii: "*") && peek(1) == UInt8(ascii: "/")) {
            guard current != nil else {
                throw error("the comment that begins here has no end", at: start, hint: "Close it with */")
            }
            position += 1
        }
        position += 2
    }

    /// What to do about something that looks like a comment.
    var commentHint: String {
        options.allowsComments
            ? "Comments are // to the end of the line, or /* ... */" : "Comments are not allowed here"
    }

    /// What stands at the position, for a message.
    var found: String {
        guard let byte = current else { return "the end of the text" }
        guard byte >= 0x20, byte < 0x7F else { return "byte 0x" + String(byte, radix: 16, uppercase: true) }
        return "'\(Unicode.Scalar(byte))'"
    }

    /// An error at the position, or at another index.
    func error(_ message: String, at index: Int? = nil, hint: String? = nil) -> DeviceError {
        var line = 1
        var column = 1
        var previous: UInt8 = 0
        for byte in bytes.prefix(index ?? position) {
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                // CR LF is one line end.
                if !(byte == UInt8(ascii: "\n") && previous == UInt8(ascii: "\r")) { line += 1 }
                column = 1
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
            previous = byte
        }
        // The byte order mark is no character of the first line.
        if line == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { column = max(1, column - 1) }
        return DeviceError(options.errorCode, "\(name):\(line):\(column): \(message)", hint: hint)
    }
}
