import DeviceProtocols
import NIOCore

/// Checks what a broker sends to one client: whole frames, in the client's framing, in an order that the protocol allows.
public struct SentFrames {
    private let framing: SMQFraming
    private var input = ByteBuffer()
    private var count = 0
    private var connacks = 0
    private var isOver = false
    /// The largest publish that the client said it takes, 0 for any.
    public var maximumFrame = 0
    /// The ETID that the broker gave.
    public private(set) var etid: UInt32 = 0

    /// Nothing was sent yet.
    public init(_ framing: SMQFraming) { self.framing = framing }

    /// Takes the next piece and checks each frame in it.
    public mutating func check(_ bytes: ByteBuffer) {
        expect(bytes.readableBytes > 0, "an empty write")
        input.writeImmutableBuffer(bytes)
        while input.readableBytes > 0 {
            guard let message = nextMessage() else { fatalError("invariant broken: a write ends inside a frame") }
            guard let frame = try? SMQFrame(message: message) else {
                fatalError(
                    "invariant broken: the broker sent the malformed message \(Array(message.readableBytesView))")
            }
            check(frame, length: message.readableBytes + 2)
        }
    }

    private mutating func nextMessage() -> ByteBuffer? {
        switch framing {
        case .raw: return try? input.readSMQRawMessage()
        case .webSocket:
            guard input.readInteger(as: UInt8.self) == 0x82, let short = input.readInteger(as: UInt8.self) else {
                return nil
            }
            if short < 126 { return input.readSlice(length: Int(short)) }
            guard short == 126, let long = input.readInteger(as: UInt16.self) else { return nil }
            return input.readSlice(length: Int(long))
        }
    }

    private mutating func check(_ frame: SMQFrame, length: Int) {
        expect(!isOver, "\(frame.type) after the end of the session")
        defer { count += 1 }
        switch frame {
        case .initialize: expect(count == 0, "a second init")
        case .connack(let code, let etid, _):
            connacks += 1
            expect(connacks == 1, "a second connack")
            expect((code == .accepted) == (etid != 0), "code \(code) with ETID \(etid)")
            self.etid = etid
            isOver = code != .accepted
        case .publish(_, let publisher, _, _):
            expect(etid != 0 && publisher != 0, "a publish before the connack")
            expect(
                maximumFrame == 0 || length <= maximumFrame, "a frame of \(length), the client takes \(maximumFrame)")
        case .ack(_, let accepted, let id, _):
            expect(etid != 0, "an ack before the connack")
            expect(accepted == (id != 0), "accepted \(accepted) with id \(id)")
        case .change, .ping, .pong: expect(etid != 0, "\(frame.type) before the connack")
        case .disconnect: isOver = true
        default: fatalError("invariant broken: the broker sent a client's message \(frame.type)")
        }
        expect(count > 0 || frame.type == .initialize, "the first message is \(frame.type)")
    }
}
