/// Publish frames one after the other in one piece of memory, ready to be written at once.
///
/// Each payload begins with a sequence number and a time, in this machine's byte order; only the generator reads them.
final class PublishBatch {
    static let header = 15
    static let sequenceOffset = header
    static let timeOffset = header + 8
    /// The shortest payload that holds both.
    static let minimumPayload = 16

    let frameLength: Int
    private let memory: UnsafeMutableRawBufferPointer

    init(to topic: UInt32, from publisher: UInt32, payload: Int, count: Int) {
        frameLength = Self.header + payload
        memory = .allocate(byteCount: frameLength * count, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        for index in 0..<count {
            let at = index * frameLength
            memory[at] = UInt8(frameLength >> 8)
            memory[at + 1] = UInt8(frameLength & 255)
            memory[at + 2] = Connection.Kind.publish
            memory.storeBytes(of: topic.bigEndian, toByteOffset: at + 3, as: UInt32.self)
            memory.storeBytes(of: publisher.bigEndian, toByteOffset: at + 7, as: UInt32.self)
        }
    }

    deinit { memory.deallocate() }

    /// Numbers the first `count` frames from `first` on.
    ///
    /// - Returns: their bytes.
    func frames(_ count: Int, from first: UInt64, time: UInt64 = 0) -> UnsafeRawBufferPointer {
        for index in 0..<count {
            let at = index * frameLength
            memory.storeBytes(of: first &+ UInt64(index), toByteOffset: at + Self.sequenceOffset, as: UInt64.self)
            memory.storeBytes(of: time, toByteOffset: at + Self.timeOffset, as: UInt64.self)
        }
        return UnsafeRawBufferPointer(rebasing: memory[..<(count * frameLength)])
    }
}

extension Connection.Frame {
    /// The sequence number in a publish of ours.
    var sequence: UInt64 { bytes.loadUnaligned(fromByteOffset: PublishBatch.sequenceOffset, as: UInt64.self) }
    /// The time in a publish of ours.
    var time: UInt64 { bytes.loadUnaligned(fromByteOffset: PublishBatch.timeOffset, as: UInt64.self) }
}
