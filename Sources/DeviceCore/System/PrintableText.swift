extension String {
    /// The text with every character that would steer a terminal or break a line replaced by U+FFFD: C0, DEL, C1, the
    /// line and paragraph separators and the marks that reorder text.
    ///
    /// For text that came from others and goes to a terminal or a log of lines.
    package var printable: String {
        guard unicodeScalars.contains(where: \.isSteering) else { return self }
        var scalars = String.UnicodeScalarView()
        for scalar in unicodeScalars { scalars.append(scalar.isSteering ? "\u{FFFD}" : scalar) }
        return String(scalars)
    }
}

extension Unicode.Scalar {
    fileprivate var isSteering: Bool {
        switch value {
        case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
