import FoundationEssentials
import NIOCore
import Testing

/// A recorded session of the vendor's client and broker (Tests/Vectors).
struct LEDSession {
    struct Step {
        var isFromClient: Bool
        var name: String
        var bytes: ByteBuffer
    }

    var steps: [Step]

    init(_ file: String) throws {
        var folder = #filePath.split(separator: "/").dropLast(3)
        folder.append(contentsOf: ["Vectors", Substring(file)])
        steps = try String(contentsOf: URL(filePath: "/" + folder.joined(separator: "/")), encoding: .utf8).split(separator: "\n").compactMap(Self.step)
        try #require(steps.count > 15)
    }

    /// `seconds #connection C>B Name hex… |text|`, or a quoted HTTP head.
    private static func step(_ line: Substring) -> Step? {
        let words = line.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count > 4, !line.hasPrefix("#"), words[2] == "C>B" || words[2] == "B>C" else { return nil }
        var bytes = ByteBuffer()
        if words[3] == "HTTP" {
            let quoted = line[(line.firstIndex(of: "'") ?? line.endIndex)...].dropFirst().dropLast()
            bytes.writeString(String(quoted).replacing("\\r\\n", with: "\r\n"))
        } else {
            let digits = line.drop { $0 != ">" }.prefix { $0 != "|" }.split(separator: " ").dropFirst(2)
            bytes.writeBytes(digits.compactMap { $0.count == 2 ? UInt8($0, radix: 16) : nil })
        }
        return Step(isFromClient: words[2] == "C>B", name: String(words[3]), bytes: bytes)
    }

    /// What one side sent, one after the other.
    func stream(fromClient: Bool, from first: Int = 0) -> ByteBuffer {
        bytes { for step in steps[first...] where step.isFromClient == fromClient { $0.writeImmutableBuffer(step.bytes) } }
    }
}
