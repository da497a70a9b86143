/// Numbers as they stand in files and envelopes: most significant byte first.
extension [UInt8] {
    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}

extension UnsafeRawBufferPointer {
    /// The number at an offset; nil where the bytes end before it does.
    func bigEndian<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type = Value.self)
        -> Value?
    {
        let size = MemoryLayout<Value>.size
        guard offset >= 0, count >= size, offset <= count - size else { return nil }
        return Value(bigEndian: loadUnaligned(fromByteOffset: offset, as: type))  // safe: checked above
    }
}
