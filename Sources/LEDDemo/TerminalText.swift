/// Text measured in the columns that it takes in a terminal.
enum TerminalText {
    /// The columns of a text; escape sequences that set colors take none.
    static func columns(_ text: String) -> Int {
        pieces(text).reduce(0) { $0 + $1.columns }
    }

    /// The beginning of a text that fits, with "…" in place of what does not. Escape sequences that set colors stay,
    /// so that no color runs on.
    static func fit(_ text: String, _ width: Int) -> String {
        let pieces = pieces(text)
        guard pieces.reduce(0, { $0 + $1.columns }) > width else { return text }
        var room = max(0, width - 1)
        var isFull = false
        var result = ""
        for piece in pieces {
            if piece.isEscape {
                result += piece.text
            } else if !isFull {
                if piece.columns <= room {
                    result += piece.text
                    room -= piece.columns
                } else {
                    isFull = true
                    if width > 0 { result += "…" }
                }
            }
        }
        return result
    }

    /// A text filled up with spaces.
    static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - columns(text)))
    }

    private struct Piece {
        var text: String
        var columns: Int
        var isEscape = false
    }

    /// Characters, and escape sequences `ESC [ … m` as one piece each.
    private static func pieces(_ text: String) -> [Piece] {
        var pieces: [Piece] = []
        var escape: String?
        for character in text {
            if let begun = escape {
                let isOver = character.isLetter
                escape = isOver ? nil : begun + String(character)
                if isOver { pieces.append(Piece(text: begun + String(character), columns: 0, isEscape: true)) }
            } else if character == "\u{1B}" {
                escape = String(character)
            } else {
                pieces.append(Piece(text: String(character), columns: columns(character)))
            }
        }
        return pieces
    }

    private static func columns(_ character: Character) -> Int {
        let isEmoji = character.unicodeScalars.contains { $0.properties.isEmojiPresentation || $0.value == 0xFE0F }
        return isEmoji ? 2 : character.unicodeScalars.map(columns).max() ?? 0
    }

    /// Wide are the blocks that Unicode's EastAsianWidth.txt gives as W or F.
    private static func columns(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
