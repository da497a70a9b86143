/// The fuzzer's bytes, read from the front as numbers and pieces. At the end everything is zero or empty.
public struct FuzzInput {
    private var rest: UnsafeRawBufferPointer

    /// Reads the bytes that libFuzzer hands to a target.
    public init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        rest = UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Whether all was read.
    public var isEmpty: Bool { rest.isEmpty }

    /// The next byte.
    public mutating func byte() -> UInt8 {
        guard let first = rest.first else { return 0 }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
        return first
    }

    /// The next bytes, fewer where the input ends.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        let piece = rest.prefix(count)
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        return Array(piece)
    }

    /// A length byte and as many bytes.
    public mutating func piece() -> [UInt8] {
        let count = Int(byte())
        return bytes(count)
    }

    /// All that is left.
    public mutating func remainder() -> [UInt8] { bytes(rest.count) }
}

/// Ends the run when something that must hold does not; libFuzzer then writes the input to a file.
@inline(__always)
public func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError("invariant broken: \(message())") }
}
