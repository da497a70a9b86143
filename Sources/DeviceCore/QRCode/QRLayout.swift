/// How the bytes of a version and error correction level are divided into blocks (ISO/IEC 18004, table 9).
struct QRLayout {
    let version: Int
    /// Bytes of all blocks together, error correction included.
    let total: Int
    let blocks: Int
    /// Error correction bytes of each block.
    let correction: Int

    /// The smallest version that holds that many bytes. Throws `.limitExceeded`.
    static func smallest(for count: Int, _ level: QRCode.ErrorCorrection) throws(DeviceError) -> QRLayout {
        let layouts = level == .low ? low : medium
        guard let layout = layouts.first(where: { $0.capacity >= count }) else {
            throw DeviceError(
                .limitExceeded,
                "a text of \(count) bytes does not fit into a QR code of at most \(layouts.last?.capacity ?? 0) bytes",
                hint: "Use a shorter text")
        }
        return layout
    }

    private static let low = table([7, 10, 15, 20, 26, 18, 20, 24, 30, 18], [1, 1, 1, 1, 1, 2, 2, 2, 2, 4])
    private static let medium = table([10, 16, 26, 18, 24, 16, 18, 22, 22, 26], [1, 1, 1, 2, 2, 4, 4, 4, 5, 5])

    private static func table(_ correction: [Int], _ blocks: [Int]) -> [QRLayout] {
        let totals = [26, 44, 70, 100, 134, 172, 196, 242, 292, 346]
        return zip(totals, zip(correction, blocks)).enumerated().map { index, row in
            QRLayout(version: index + 1, total: row.0, blocks: row.1.1, correction: row.1.0)
        }
    }

    /// Bytes of all blocks together without error correction.
    private var data: Int { total - blocks * correction }

    /// Bits of the character count that precedes the text.
    private var countBits: Int { version < 10 ? 8 : 16 }

    /// The longest text in bytes: 4 bits of mode and the count go off.
    private var capacity: Int { (data * 8 - 4 - countBits) / 8 }

    /// The text with its header, padding and error correction, blocks interleaved. It must fit.
    func codewords(_ text: [UInt8]) -> [UInt8] {
        let blocks = split(padded(text))
        let divisor = ReedSolomon.divisor(degree: correction)
        let corrections = blocks.map { ReedSolomon.remainder($0, divisor) }
        return Self.interleaved(blocks.map { $0[...] }) + Self.interleaved(corrections.map { $0[...] })
    }

    private func padded(_ text: [UInt8]) -> [UInt8] {
        var bits: [Bool] = []
        func append(_ value: Int, _ count: Int) {
            for shift in (0..<count).reversed() { bits.append(value >> shift & 1 == 1) }
        }
        append(0b0100, 4)  // byte mode
        append(text.count, countBits)
        for byte in text { append(Int(byte), 8) }
        append(0, min(4, data * 8 - bits.count))
        append(0, (8 - bits.count % 8) % 8)
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        for (index, bit) in bits.enumerated() {
            byte = byte << 1 | (bit ? 1 : 0)
            if index % 8 == 7 { bytes.append(byte) }
        }
        var pad: UInt8 = 0xEC
        while bytes.count < data {
            bytes.append(pad)
            pad ^= 0xEC ^ 0x11
        }
        return bytes
    }

    /// Blocks of equal length, the last ones one byte longer where it does not come out even.
    private func split(_ bytes: [UInt8]) -> [[UInt8]] {
        let short = data / blocks
        let longBlocks = data % blocks
        var rest = bytes[...]
        return (0..<blocks).map { index in
            let count = index < blocks - longBlocks ? short : short + 1
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
    }

    /// The first byte of each block, the second of each, and so on.
    private static func interleaved(_ blocks: [ArraySlice<UInt8>]) -> [UInt8] {
        var rests = blocks
        var bytes: [UInt8] = []
        while rests.contains(where: { !$0.isEmpty }) {
            bytes += rests.compactMap(\.first)
            rests = rests.map { $0.dropFirst() }
        }
        return bytes
    }
}

/// Error correction over GF(2^8) with the polynomial 0x11D (ISO/IEC 18004, 7.5.2).
enum ReedSolomon {
    /// The generator's coefficients without the leading 1, highest power first.
    static func divisor(degree: Int) -> [UInt8] {
        var coefficients = [UInt8](repeating: 0, count: degree - 1) + [1]
        var root: UInt8 = 1
        for _ in 0..<degree {
            // Times (x - root).
            let shifted = coefficients.dropFirst() + [0]
            coefficients = zip(coefficients, shifted).map { multiply($0, root) ^ $1 }
            root = multiply(root, 2)
        }
        return coefficients
    }

    /// What is left of the data's polynomial after division.
    static func remainder(_ data: [UInt8], _ divisor: [UInt8]) -> [UInt8] {
        var rest = [UInt8](repeating: 0, count: divisor.count)
        for byte in data {
            let factor = byte ^ (rest.first ?? 0)
            rest = zip(rest.dropFirst() + [0], divisor).map { $0 ^ multiply($1, factor) }
        }
        return rest
    }

    static func multiply(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var product: UInt8 = 0
        for shift in (0..<8).reversed() {
            product = product << 1 ^ (product & 0x80 != 0 ? 0x1D : 0)
            if right >> shift & 1 == 1 { product ^= left }
        }
        return product
    }
}
