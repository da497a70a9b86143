import DeviceCore
import DeviceProtocols
import FuzzSupport
import NIOCore

/// A client's byte stream must mean the same however the network cuts it: the input is the stream, its first bytes say
/// where it is cut, and the same broker sees it once whole and once in pieces.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSplit(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let choice = input.byte()
    let cuts = input.bytes(4).map(Int.init)
    let stream = input.remainder()
    let whole = Listener(authenticates: choice & 1 != 0, stream: stream, cuts: [])
    let pieces = Listener(authenticates: choice & 1 != 0, stream: stream, cuts: choice & 2 != 0 ? [0] : cuts)
    expect(whole == pieces, "whole: \(whole)\npieces: \(pieces)")
    return 0
}

/// What a broker does with a stream: what it sends to the sender and to another client, and how the session ends.
private struct Listener: Equatable {
    var sender: [UInt8] = []
    var other: [UInt8] = []
    var messages: UInt64
    var closed: [SMQCloseReason: UInt64]

    /// - Parameter cuts: lengths of the pieces, the last one repeated; none means whole, 0 means 1.
    init(authenticates: Bool, stream: [UInt8], cuts: [Int]) {
        let ids = SmallIDs()
        var broker = SMQBrokerStateMachine(authenticates: authenticates, randomID: { ids.make() })
        let now = MonotonicTime(nanoseconds: 1_000_000_000)
        func decide() {
            for case .authenticate(let id, _) in broker.takeActions() { broker.complete(id, .accept, now: now) }
        }
        let other = broker.attach(framing: .raw, address: "10.0.0.1", now: now)
        let sender = broker.attach(framing: .raw, address: "10.0.0.2", now: now)
        guard let other, let sender else { fatalError("invariant broken: the first clients are refused") }
        var hello = ByteBuffer()
        hello.writeSMQConnect(uid: [1, 1, 1, 1, 1, 1], credentials: [], information: "")
        broker.receive(other, hello, now: now)
        decide()
        var subscribe = ByteBuffer()
        subscribe.writeSMQ(.subscribe, text: "a")
        broker.receive(other, subscribe, now: now)

        var rest = stream[...]
        var cut = 0
        while !rest.isEmpty {
            let length = cuts.isEmpty ? rest.count : max(1, cuts[min(cut, cuts.count - 1)])
            broker.receive(sender, ByteBuffer(bytes: rest.prefix(length)), now: now)
            rest = rest.dropFirst(length)
            cut += 1
        }
        decide()
        if let output = broker.takeOutput(sender) { self.sender = Array(output.readableBytesView) }
        if let output = broker.takeOutput(other) { self.other = Array(output.readableBytesView) }
        messages = broker.statistics.messagesReceived
        closed = broker.statistics.closed
    }
}
