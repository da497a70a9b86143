@testable import DeviceCore
import Testing

@Suite struct QRCodeTests {
    @Test(arguments: ExpectedQRCodes.all.indices)
    func agreesWithAnotherEncoder(index: Int) throws {
        let expected = ExpectedQRCodes.all[index]
        let code = try QRCode(
            text: expected.text, errorCorrection: expected.isLow ? .low : .medium, mask: expected.mask)
        let rows = code.modules.map { row in
            String(row.reduce(UInt64(0)) { $0 << 1 | ($1 ? 1 : 0) }, radix: 16)
        }
        #expect(rows.joined(separator: " ") == expected.rows)
        #expect(code.size == 17 + 4 * code.version)
        #expect(code.mask == expected.mask)
    }

    /// The greatest length of each version (ISO/IEC 18004, table 7), and one more.
    @Test func takesTheSmallestVersion() throws {
        let limits: [(QRCode.ErrorCorrection, [Int])] = [
            (.low, [17, 32, 53, 78, 106, 134, 154, 192, 230, 271]),
            (.medium, [14, 26, 42, 62, 84, 106, 122, 152, 180, 213]),
        ]
        for (level, counts) in limits {
            for (index, count) in counts.enumerated() {
                let full = String(repeating: "x", count: count)
                #expect(try QRCode(text: full, errorCorrection: level).version == index + 1)
                let next = try? QRCode(text: full + "x", errorCorrection: level)
                #expect(next?.version == (index < 9 ? index + 2 : nil))
            }
        }
        #expect(try QRCode(text: "").version == 1)
    }

    @Test func aTextThatIsTooLongIsAnError() {
        let error = #expect(throws: DeviceError.self) { try QRCode(text: String(repeating: "é", count: 107)) }
        #expect(error?.code == .limitExceeded)
        #expect(error?.message == "a text of 214 bytes does not fit into a QR code of at most 213 bytes")
        #expect(throws: DeviceError.self) { try QRCode(text: String(repeating: "x", count: 1_000_000)) }
    }

    @Test func choosesTheMaskWithTheLeastPenalty() throws {
        let text = "http://192.168.1.20:8080/"
        let chosen = try QRCode(text: text)
        let penalties = try (0...7).map {
            QRPenalty.total(try QRCode(text: text, errorCorrection: .medium, mask: $0).modules)
        }
        #expect(penalties[chosen.mask] == penalties.min())
        #expect(Set(penalties).count > 1)
    }

    @Test func penaltiesFollowTheStandard() {
        // All dark: six lines each way with a run of 6 (4 points), 25 squares, balance 50 percent off.
        #expect(QRPenalty.total(Array(repeating: Array(repeating: true, count: 6), count: 6)) == 12 * 4 + 25 * 3 + 100)
        // A finder's row, alone, within dark modules, and with light ones on one side only.
        let row = [true, false, true, true, true, false, true]
        #expect(QRPenalty.finders(row) == 40)
        #expect(QRPenalty.finders([true] + row + [true]) == 0)
        #expect(QRPenalty.finders([true] + row + [false, false, false, false, true]) == 40)
        #expect(QRPenalty.finders([true] + row + [false, false, false, true]) == 0)
    }

    @Test func terminalLinesHoldSymbolAndQuietZone() throws {
        let code = try QRCode(text: "http://192.168.1.20:8080/")
        let lines = code.terminalLines()
        #expect(lines.count == (code.size + 9) / 2)
        let (start, end) = ("\u{1B}[38;5;16;48;5;231m", "\u{1B}[0m")
        for (index, line) in lines.enumerated() {
            #expect(line.hasPrefix(start) && line.hasSuffix(end))
            let cells = line.dropFirst(start.count).dropLast(end.count)
            #expect(cells.count == code.size + 8)
            for (column, cell) in cells.enumerated() {
                #expect("█▀".contains(cell) == code[index * 2 - 4, column - 4])
                #expect("█▄".contains(cell) == code[index * 2 - 3, column - 4])
            }
        }
        #expect(!code[-1, 0] && !code[0, code.size])
        #expect(code[0, 0])
    }
}
