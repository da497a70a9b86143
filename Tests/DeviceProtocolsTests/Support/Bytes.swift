import DeviceProtocols
import NIOCore

/// A buffer that a closure fills, usually with one SMQ frame.
func bytes(_ write: (inout ByteBuffer) -> Void) -> ByteBuffer {
    var buffer = ByteBuffer()
    write(&buffer)
    return buffer
}

/// A buffer with a text, as names and payloads have it.
func text(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

/// A buffer from "00 11 ff".
func hex(_ digits: String) -> ByteBuffer {
    ByteBuffer(bytes: digits.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) })
}

extension ByteBuffer {
    /// The bytes from one offset to another.
    func piece(_ range: Range<Int>) -> ByteBuffer {
        getSlice(at: readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }

    /// The whole raw frames in the buffer.
    func rawFrames() throws -> [SMQFrame] {
        var rest = self
        var frames: [SMQFrame] = []
        while let message = try rest.readSMQRawMessage() { frames.append(try SMQFrame(message: message)) }
        guard rest.readableBytes == 0 else { throw Leftover(bytes: rest.readableBytes) }
        return frames
    }

    /// The messages of unmasked WebSocket frames, as a server sends them.
    func webSocketFrames() throws -> [SMQFrame] {
        var rest = self
        var frames: [SMQFrame] = []
        while let first = rest.readInteger(as: UInt8.self), var length = rest.readInteger(as: UInt8.self).map(Int.init) {
            if length == 126 { length = Int(rest.readInteger(as: UInt16.self) ?? 0) }
            guard let message = rest.readSlice(length: length) else { throw Leftover(bytes: rest.readableBytes) }
            // 0x88 is WebSocket's own close.
            if first == 0x82 { frames.append(try SMQFrame(message: message)) }
        }
        return frames
    }
}

/// Bytes that are no whole frame.
struct Leftover: Error {
    var bytes: Int
}

/// All ways to hand over a stream that the tests use: whole, each split into two, byte by byte.
func splits(of stream: ByteBuffer, step: Int = 1) -> [[ByteBuffer]] {
    let count = stream.readableBytes
    var ways = [[stream], (0..<count).map { stream.piece($0..<$0 + 1) }]
    for cut in stride(from: 1, to: count, by: step) { ways.append([stream.piece(0..<cut), stream.piece(cut..<count)]) }
    return ways
}

/// A random generator that gives the same numbers for the same seed (SplitMix64).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
