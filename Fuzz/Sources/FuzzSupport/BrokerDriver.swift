import DeviceCore
@testable import DeviceProtocols
import NIOCore

/// Drives a broker by an input: a few connections that send well-formed and malformed bytes, a clock, sockets that take
/// or do not take what is written.
public struct BrokerDriver {
    private struct Client {
        var id: SMQBrokerStateMachine.PeerID
        var framing: SMQFraming
        var sent: SentFrames
        /// The end of a frame that is sent in two pieces.
        var pending: [UInt8] = []
        var closes = 0
    }

    private var broker: SMQBrokerStateMachine
    private var clients: [Client] = []
    private var now = MonotonicTime(nanoseconds: 1_000_000_000)
    private var waiting: [SMQBrokerStateMachine.PeerID] = []
    private var questions: [(id: SMQBrokerStateMachine.PeerID, number: UInt32)] = []
    private var closed: UInt64 = 0

    /// A broker whose limits come from the first byte of the input.
    public init(_ input: inout FuzzInput) {
        let choice = input.byte()
        var limits = SMQBrokerLimits()
        limits.clients = 6
        limits.topics = 4
        limits.topicsPerClient = 3
        limits.topicNameLength = 16
        if choice & 1 != 0 { limits.queuedBytesPerClient = 120 }
        if choice & 2 != 0 { limits.queuedBytes = 200 }
        if choice & 4 != 0 { limits.frameLength = 64 }
        if choice & 8 != 0 { (limits.messagesPerSecond, limits.bytesPerSecond) = (2, 50) }
        limits.stallThreshold = 32
        limits.heldInputBytes = 100
        let ids = SmallIDs()
        let permit: @Sendable (SMQTopicRequest) -> Bool = { !$0.name.hasPrefix("c") }
        broker = SMQBrokerStateMachine(
            limits: limits, authenticates: choice & 16 != 0, permit: choice & 32 != 0 ? permit : nil,
            randomID: { ids.make() })
        broker.asks = SMQQuestionKinds(rawValue: choice >> 6 == 0 ? 0 : input.byte())
    }

    /// Does what the input says, checking the broker every few steps.
    public mutating func run(_ input: inout FuzzInput) {
        var steps = 0
        while !input.isEmpty, steps < 200 {
            step(&input)
            steps += 1
            // Not after each: it takes longer than the step.
            if steps & 3 == 0 { broker.checkInvariants() }
        }
        broker.shutDown(reason: "end")
        broker.checkInvariants()
        act()
        expect(broker.statistics.closed.values.reduce(0, +) == closed, "closes are counted wrong")
        for client in clients { broker.detach(client.id) }
        broker.checkInvariants()
        expect(broker.clientCount == 0 && broker.queuedByteCount == 0, "something is left behind")
        expect(broker.statistics.messagesReceived >= broker.statistics.unroutable, "more unroutable than received")
    }

    private mutating func step(_ input: inout FuzzInput) {
        let operation = input.byte()
        let index = Int(operation >> 5)
        switch operation & 31 {
        case 0: attach(.raw)
        case 1: attach(.webSocket)
        case 2: send(index, input.piece(), isFramed: false)
        case 3: send(index, frame: connect(&input, version: 1))
        case 4: send(index, frame: connect(&input, version: 2))
        case 5: send(index, frame: text(.subscribe, &input))
        case 6: send(index, frame: text(.create, &input))
        case 7: send(index, frame: text(.createsub, &input))
        case 8: send(index, frame: publish(.publish, index, &input))
        case 9: send(index, frame: publish(.pubfrag, index, &input))
        case 10: send(index, frame: reference(.observe, &input))
        case 11: send(index, frame: reference(.unobserve, &input))
        case 12: send(index, frame: reference(.unsubscribe, &input))
        case 13: send(index, frame: [0, 3, SMQMessageType.ping.rawValue])
        case 14: send(index, frame: [0, 3, SMQMessageType.disconnect.rawValue])
        case 15: send(index, frame: [0, 3, SMQMessageType.pong.rawValue])
        case 16: split(index, text(.subscribe, &input), at: Int(input.byte()))
        case 17: split(index, publish(.publish, index, &input), at: Int(input.byte()))
        case 18: split(index, connect(&input, version: 1), at: Int(input.byte()))
        case 19: flush(index)
        case 20: for client in clients.indices { take(client) }
        case 21: take(index)
        case 22: act()
        case 23: detach(index)
        case 24: decide(.accept)
        case 25: decide(.refuse(SMQConnackCode(rawValue: input.byte()), "no"))
        case 26:
            now = now + .milliseconds(Int(input.byte()) * 250)
            broker.tick(now: now)
        case 27: many(index, &input)
        case 28: _ = broker.takeDirty()
        case 29: answer(input.byte() & 3 != 0)
        case 30: broker.asks = SMQQuestionKinds(rawValue: input.byte())
        default: send(index, frame: anyFrame(&input))
        }
    }

    // MARK: Connections

    private mutating func attach(_ framing: SMQFraming) {
        guard clients.count < 8 else { return }
        guard let id = broker.attach(framing: framing, address: "10.0.0.1", url: "/smq.lsp", now: now) else {
            return expect(broker.clientCount == broker.limits.clients, "refused below the limit")
        }
        expect(!clients.contains { $0.id == id }, "an id is given twice")
        clients.append(Client(id: id, framing: framing, sent: SentFrames(framing)))
    }

    private mutating func detach(_ index: Int) {
        guard clients.indices.contains(index) else { return }
        act()
        let client = clients.remove(at: index)
        let before = broker.statistics.closed.values.reduce(0, +)
        broker.detach(client.id)
        // What else ended by it is seen by its action.
        closed += broker.statistics.closed.values.reduce(0, +) - before - closings()
        expect(broker.takeOutput(client.id) == nil, "output for a detached client")
    }

    /// Closes that wait to be acted on.
    private func closings() -> UInt64 {
        broker.actions.reduce(0) { if case .close = $1 { $0 + 1 } else { $0 } }
    }

    private mutating func take(_ index: Int) {
        guard clients.indices.contains(index) else { return }
        if let output = broker.takeOutput(clients[index].id) {
            expect(clients[index].closes < 2, "output after the close")
            clients[index].sent.check(output)
            broker.written(clients[index].id, output.readableBytes)
        }
    }

    private mutating func act() {
        for action in broker.takeActions() {
            switch action {
            case .close(let id, _):
                closed += 1
                guard let index = clients.firstIndex(where: { $0.id == id }) else { continue }
                clients[index].closes += 1
                expect(clients[index].closes == 1, "closed twice")
                take(index)
                clients[index].closes = 2
            case .authenticate(let id, let request):
                expect(request.uid.readableBytes >= SMQSize.minimumUID, "a short unique id reaches the hook")
                waiting.append(id)
            case .pause(_, let duration): expect(duration >= .zero && duration <= .seconds(60), "pause \(duration)")
            case .ask(let id, let number, _): questions.append((id, number))
            case .resume, .answered: break
            case .closeLink, .identified, .linkUp, .linkDown, .serverMessage:
                fatalError("invariant broken: a broker that stands alone has a link")
            }
        }
    }

    private mutating func decide(_ decision: SMQConnectDecision) {
        act()
        guard let id = waiting.popLast() else { return }
        broker.complete(id, decision, now: now)
    }

    private mutating func answer(_ isPermitted: Bool) {
        act()
        guard let question = questions.popLast() else { return }
        broker.answer(question.id, question.number, isPermitted, now: now)
        for message in broker.takeDroppedMessages() {
            expect(message.payload.readableBytes <= SMQSize.maximumPayload, "a dropped message is too long")
        }
    }

    // MARK: Bytes

    private mutating func send(_ index: Int, frame: [UInt8]) { send(index, frame, isFramed: true) }

    private mutating func send(_ index: Int, _ bytes: [UInt8], isFramed: Bool) {
        guard clients.indices.contains(index) else { return }
        let isRaw = clients[index].framing == .raw
        let skipped = isFramed && !isRaw ? 2 : 0
        broker.receive(clients[index].id, ByteBuffer(bytes: bytes.dropFirst(skipped)), now: now)
    }

    private mutating func split(_ index: Int, _ frame: [UInt8], at position: Int) {
        guard clients.indices.contains(index) else { return }
        let position = position % frame.count
        send(index, Array(frame[..<position]), isFramed: false)
        clients[index].pending = Array(frame[position...])
    }

    private mutating func flush(_ index: Int) {
        guard clients.indices.contains(index), !clients[index].pending.isEmpty else { return }
        send(index, clients[index].pending, isFramed: false)
        clients[index].pending = []
    }

    private mutating func many(_ index: Int, _ input: inout FuzzInput) {
        var bytes: [UInt8] = []
        for _ in 0..<Int(input.byte() & 7) + 1 { bytes += publish(.publish, index, &input) }
        send(index, bytes, isFramed: false)
    }

    // MARK: Frames

    private func framed(_ type: SMQMessageType, _ body: [UInt8]) -> [UInt8] {
        let length = UInt16(body.count + 3)
        return [UInt8(length >> 8), UInt8(length & 255), type.rawValue] + body
    }

    private func integer(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }

    private func connect(_ input: inout FuzzInput, version: UInt8) -> [UInt8] {
        let choice = input.byte()
        let uid = [UInt8](repeating: choice & 3, count: choice & 64 == 0 ? 6 : 5)
        let size: [UInt8] = version == 2 ? [0, choice & 128] : []
        return framed(.connect, [version] + size + [UInt8(uid.count)] + uid + [0] + [UInt8](repeating: 65, count: 3))
    }

    private func text(_ type: SMQMessageType, _ input: inout FuzzInput) -> [UInt8] {
        let choice = input.byte()
        return framed(type, [UInt8](repeating: 97 + choice & 7, count: Int(choice >> 3)))
    }

    private func reference(_ type: SMQMessageType, _ input: inout FuzzInput) -> [UInt8] {
        framed(type, integer(UInt32(input.byte() & 63)))
    }

    private func publish(_ type: SMQMessageType, _ index: Int, _ input: inout FuzzInput) -> [UInt8] {
        let choice = input.byte()
        let own = clients.indices.contains(index) ? clients[index].sent.etid : 0
        let publisher = choice & 64 != 0 ? 5 : own
        let payload = [UInt8](repeating: 7, count: Int(input.byte()))
        return framed(type, integer(UInt32(choice & 63)) + integer(publisher) + integer(0) + payload)
    }

    private func anyFrame(_ input: inout FuzzInput) -> [UInt8] {
        let body = input.piece()
        let length = UInt16(body.count + 2)
        return [UInt8(length >> 8), UInt8(length & 255)] + body
    }
}
