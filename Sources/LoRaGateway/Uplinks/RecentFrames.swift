import DeviceCore
import DeviceProtocols
import NIOCore

/// The last frames of an up-link without a store that its server may not have. So what lasts a moment loses nothing: a
/// datagram that got lost, or the second that a kernel needs to find a router again.
///
/// Bounded: ``limit`` frames, none for longer than ``life``; each is sent twice at most.
struct RecentFrames {
    /// For how long after it was heard a frame is still sent. Much longer, and its device may have sent the next one,
    /// after which servers refuse the counter of the old one.
    static let life = Duration.seconds(2)
    static let limit = 256

    private var frames = CircularBuffer<ReceivedFrame>()

    var isEmpty: Bool { frames.isEmpty }
    /// When the time of the first one is over; nil without any.
    var expiry: MonotonicTime? { frames.first.map { $0.uplink.receivedAt + Self.life } }

    /// Keeps frames, unless they were sent twice.
    ///
    /// - Parameter wereSent: nobody acknowledged them; else there was no way to send them.
    /// - Returns: how many that were never sent are given up for them.
    mutating func keep(_ new: [ReceivedFrame], wereSent: Bool) -> Int {
        if wereSent {
            frames.append(contentsOf: new.lazy.filter { !$0.isRepeated }.map(\.repeated))
        } else {
            frames.append(contentsOf: new)
        }
        var given = 0
        while frames.count > Self.limit { given += frames.removeFirst().isRepeated ? 0 : 1 }
        return given
    }

    /// Gives up those whose time is over.
    ///
    /// - Returns: how many of them were never sent.
    mutating func expire(now: MonotonicTime) -> Int {
        var given = 0
        while let first = frames.first, now - first.uplink.receivedAt >= Self.life {
            given += frames.removeFirst().isRepeated ? 0 : 1
        }
        return given
    }

    /// Hands out all.
    mutating func takeAll() -> [ReceivedFrame] {
        defer { frames.removeAll() }
        return Array(frames)
    }
}
