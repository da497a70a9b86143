import DeviceCore
@testable import DeviceProtocols
import NIOCore

/// Something that both ends can compute, so that the fuzzer's nodes get through the handshake.
private struct NoCrypto: Crypto {
    func sha1(_ bytes: [UInt8]) throws(DeviceError) -> [UInt8] { bytes }
    func randomBytes(_ count: Int) throws(DeviceError) -> [UInt8] { [UInt8](repeating: 4, count: count) }
    func hmacSHA512(key: [UInt8], _ bytes: [UInt8]) throws(DeviceError) -> [UInt8] {
        [UInt8](repeating: key.reduce(0, &+), count: 56) + key
    }
    func aes128Encrypt(key: [UInt8], _ blocks: [UInt8]) throws(DeviceError) -> [UInt8] { blocks }
    func aes128Decrypt(key: [UInt8], _ blocks: [UInt8]) throws(DeviceError) -> [UInt8] { blocks }
    func aesCMAC(key: [UInt8], _ bytes: [UInt8]) throws(DeviceError) -> [UInt8] { Array(key.prefix(16)) }
}

/// Drives a broker of a cluster: other nodes that behave and misbehave, a few clients, a clock.
public struct LinkDriver {
    private var broker: SMQBrokerStateMachine
    private var links: [SMQBrokerStateMachine.PeerID] = []
    private var clients: [SMQBrokerStateMachine.PeerID] = []
    private var now = MonotonicTime(nanoseconds: 1_000_000_000)
    private var weight: UInt32 = 1 << 20

    /// A broker whose limits come from the first byte of the input.
    public init(_ input: inout FuzzInput) {
        let choice = input.byte()
        var limits = SMQBrokerLimits()
        limits.topics = 4
        limits.topicNameLength = 16
        limits.phantoms = 3
        limits.links = 3
        limits.unprovenLinks = 2
        limits.stallThreshold = 64
        if choice & 1 != 0 { limits.queuedBytesPerLink = 300 }
        if choice & 2 != 0 { limits.queuedBytes = 500 }
        if choice & 4 != 0 { limits.heldBytes = 20 }
        if choice & 8 != 0 { limits.queuedBytesPerClient = 200 }
        let ids = SmallIDs()
        let link = SMQLinkStateMachine.Settings(password: [1, 2, 3], crypto: NoCrypto())
        broker = SMQBrokerStateMachine(
            limits: limits, cluster: SMQClusterSettings(link: link, name: "fuzz", nodeID: 100),
            randomID: { ids.make() })
    }

    /// Does what the input says, checking the broker every few steps.
    public mutating func run(_ input: inout FuzzInput) {
        var steps = 0
        while !input.isEmpty, steps < 200 {
            step(&input)
            steps += 1
            if steps & 3 == 0 { broker.checkInvariants() }
        }
        broker.shutDown(reason: "end")
        act()
        for id in links + clients { broker.detach(id) }
        broker.checkInvariants()
        expect(broker.clientCount == 0 && broker.queuedByteCount == 0, "something is left behind")
        expect(broker.phantomCount == 0 && broker.confirmationDeadline == nil, "a link leaves something behind")
    }

    private mutating func step(_ input: inout FuzzInput) {
        let operation = input.byte()
        let index = Int(operation >> 6)
        switch operation & 31 {
        case 0: attachLink()
        case 1: open(index, isOurs: false, node: 0)
        case 2: open(index, isOurs: true, node: UInt64(input.byte()))
        case 3: attachClient(input.byte())
        case 4: link(index, .subscribe, &input)
        case 5: link(index, .unsubscribe, &input)
        case 6: link(index, .publish, &input)
        case 7: link(index, .release, &input)
        case 8: link(index, .subtopic, &input)
        case 9: link(index, .subtopicAck, &input)
        case 10: link(index, .serverMessage, &input)
        case 11: node(index, .confirmed(UInt32(input.byte() & 15)))
        case 12: node(index, .confirm(UInt32(input.byte())))
        case 13: node(index, .status(NodeStatus(clients: UInt32(input.byte()))))
        case 14: control(index, UInt16(input.byte() & 7), input.piece())
        case 15: raw(index, input.piece())
        case 16: client(index) { $0.writeSMQ(.subscribe, text: Self.name(input.byte())) }
        case 17: client(index) { $0.writeSMQ(.unsubscribe, id: UInt32(input.byte() & 63)) }
        case 18: client(index) { $0.writeSMQ(.createsub, text: Self.name(input.byte())) }
        case 19: client(index) { $0.writeSMQ(.observe, id: UInt32(input.byte() & 63)) }
        case 20: client(index) { $0.writeSMQ(.unobserve, id: UInt32(input.byte() & 63)) }
        case 21: client(index) { $0.writeSMQ(.ping) }
        case 22: publish(index, &input)
        case 23: if links.indices.contains(index) { broker.detach(links.remove(at: index)) }
        case 24: if clients.indices.contains(index) { broker.detach(clients.remove(at: index)) }
        case 25:
            now = now + .milliseconds(Int(input.byte()) * 10)
            broker.tickLinks(status: NodeStatus(), now: now)
        case 26:
            now = now + .milliseconds(Int(input.byte()) * 100)
            broker.tick(now: now)
        case 27: take()
        case 28: act()
        case 29: broker.publishToServers(ByteBuffer(bytes: input.piece()), subtopic: nil)
        case 30: split(index, &input)
        default: _ = broker.takeDirty()
        }
    }

    private static func name(_ byte: UInt8) -> String {
        ["a", "b", "c", "$a", "", "d", "a long name that is denied", "e"][Int(byte & 7)]
    }

    // MARK: Connections

    private mutating func attachLink() {
        guard links.count < 4, let id = broker.attachLink(address: "10.0.0.1", now: now) else { return }
        links.append(id)
    }

    private mutating func attachClient(_ choice: UInt8) {
        guard clients.count < 4 else { return }
        let framing: SMQFraming = choice & 1 == 0 ? .raw : .webSocket
        guard let id = broker.attach(framing: framing, address: "10.0.0.2", now: now) else { return }
        clients.append(id)
        var bytes = ByteBuffer()
        bytes.writeSMQConnect(uid: [UInt8](repeating: choice & 6, count: 6), credentials: [], information: "")
        send(id, bytes)
    }

    private mutating func take() {
        for id in links {
            guard let output = broker.takeOutput(id) else { continue }
            check(output)
            broker.written(id, output.readableBytes)
        }
        for id in clients { if let output = broker.takeOutput(id) { broker.written(id, output.readableBytes) } }
    }

    /// What goes to another node is whole frames.
    private func check(_ output: ByteBuffer) {
        var rest = output
        while rest.readableBytes > 0 {
            guard let length = rest.readInteger(as: UInt32.self), length >= 6, length <= SMQLinkFormat.maximumFrame,
                rest.readSlice(length: Int(length) - 4) != nil
            else { fatalError("invariant broken: a write to a link ends inside a frame") }
        }
    }

    private mutating func act() {
        for action in broker.takeActions() {
            switch action {
            case .close(let id, _), .closeLink(let id, _): _ = broker.takeOutput(id)
            default: break
            }
        }
    }

    // MARK: Other nodes

    /// The index of a link in the broker, while it is one.
    private func place(_ index: Int) -> Int? {
        guard links.indices.contains(index), let slot = broker.slot(of: links[index]), broker.peers[slot].link >= 0
        else { return nil }
        return broker.peers[slot].link
    }

    private mutating func open(_ index: Int, isOurs: Bool, node: UInt64) {
        guard let place = place(index) else { return }
        let machine = broker.links[place].machine
        weight += 1
        var bytes = ByteBuffer()
        if machine.phase == .greeting {
            bytes.writeSMQLinkGreeting(weight: weight)
            let key = [weight, machine.weight].flatMap { weight in withUnsafeBytes(of: weight.bigEndian, Array.init) }
            bytes.writeSMQLinkProof((try? NoCrypto().hmacSHA512(key: key, [])) ?? [])
        }
        if isOurs {
            bytes.writeSMQLinkOpen("DeviceSDK-1", id: 200)
            bytes.writeSMQNode(.hello(version: 1, id: node, name: "peer"), channel: machine.node.own)
        }
        bytes.writeSMQLinkOpen("SMQ-1", id: 201)
        broker.receive(links[index], bytes, now: now)
    }

    private func frame(_ place: Int, _ type: SMQLinkMessageType, _ input: inout FuzzInput) -> ByteBuffer {
        let channel = broker.links[place].machine.smq.own
        let choice = input.byte()
        let id = UInt32(choice & 63)
        var bytes = ByteBuffer()
        switch type {
        case .subscribe, .subtopicAck:
            bytes.writeSMQLink(type, channel: channel, id: id, name: ByteBuffer(string: Self.name(input.byte())))
        case .unsubscribe, .release: bytes.writeSMQLink(type, channel: channel, id: id)
        case .subtopic: bytes.writeSMQLinkSubtopic(channel: channel, name: ByteBuffer(string: Self.name(choice)))
        case .publish:
            for _ in 0...(choice >> 6) {
                bytes.writeSMQLinkPublish(
                    channel: channel, to: id, from: UInt32(input.byte() & 15), subtopic: UInt32(input.byte() & 63),
                    payload: ByteBuffer(bytes: input.piece()))
            }
        case .serverMessage:
            bytes.writeSMQLinkServerMessage(
                channel: channel, from: id, subtopic: 0, payload: ByteBuffer(bytes: input.piece()))
        }
        return bytes
    }

    private mutating func link(_ index: Int, _ type: SMQLinkMessageType, _ input: inout FuzzInput) {
        guard let place = place(index) else { return }
        broker.receive(links[index], frame(place, type, &input), now: now)
    }

    private mutating func split(_ index: Int, _ input: inout FuzzInput) {
        guard let place = place(index) else { return }
        let bytes = frame(place, .publish, &input)
        let cut = Int(input.byte()) % bytes.readableBytes
        var rest = bytes
        if cut > 0, let piece = rest.readSlice(length: cut) { broker.receive(links[index], piece, now: now) }
        broker.receive(links[index], rest, now: now)
    }

    private mutating func node(_ index: Int, _ message: SMQNodeMessage) {
        guard let place = place(index) else { return }
        var bytes = ByteBuffer()
        bytes.writeSMQNode(message, channel: broker.links[place].machine.node.own)
        broker.receive(links[index], bytes, now: now)
    }

    private mutating func control(_ index: Int, _ id: UInt16, _ data: [UInt8]) {
        guard links.indices.contains(index) else { return }
        var bytes = ByteBuffer()
        bytes.writeSMQLinkHead(id, dataLength: data.count)
        bytes.writeBytes(data)
        broker.receive(links[index], bytes, now: now)
    }

    private mutating func raw(_ index: Int, _ bytes: [UInt8]) {
        guard links.indices.contains(index) else { return }
        broker.receive(links[index], ByteBuffer(bytes: bytes), now: now)
    }

    // MARK: Clients

    private mutating func client(_ index: Int, _ write: (inout ByteBuffer) -> Void) {
        guard clients.indices.contains(index) else { return }
        var bytes = ByteBuffer()
        write(&bytes)
        send(clients[index], bytes)
    }

    private mutating func publish(_ index: Int, _ input: inout FuzzInput) {
        guard clients.indices.contains(index), let slot = broker.slot(of: clients[index]) else { return }
        let etid = broker.peers[slot].etid
        var bytes = ByteBuffer()
        for _ in 0...(input.byte() & 3) {
            bytes.writeSMQPublish(
                to: UInt32(input.byte() & 63), from: etid, subtopic: UInt32(input.byte() & 63),
                payload: ByteBuffer(bytes: input.piece()))
        }
        send(clients[index], bytes)
    }

    private mutating func send(_ id: SMQBrokerStateMachine.PeerID, _ bytes: ByteBuffer) {
        guard let slot = broker.slot(of: id), broker.peers[slot].framing == .webSocket else {
            return broker.receive(id, bytes, now: now)
        }
        var rest = bytes
        while let message = try? rest.readSMQRawMessage() { broker.receive(id, message, now: now) }
    }
}
