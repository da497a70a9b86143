import DeviceCore
import DeviceProtocols
import FuzzSupport
import NIOCore

/// A client against a broker that sends anything, with a clock; and the same stream whole and in pieces.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzClient(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let choice = input.byte()
    var configuration = SMQClientStateMachine.Configuration(uid: [UInt8](repeating: 1, count: Int(choice >> 4) * 20))
    configuration.sendsHTTPRequest = choice & 1 != 0
    configuration.wantsHTTPResponse = choice & 2 != 0
    configuration.version = choice & 4 != 0 ? 2 : 1
    if choice & 8 != 0 {
        compare(configuration, &input)
    } else {
        var session = Session(configuration)
        session.run(&input)
    }
    return 0
}

private func compare(_ configuration: SMQClientStateMachine.Configuration, _ input: inout FuzzInput) {
    let cuts = input.bytes(3).map(Int.init)
    let isOpened = cuts.first.map { $0 & 1 == 0 } ?? false
    let stream = input.remainder()
    var whole = Session(configuration)
    var pieces = Session(configuration)
    if isOpened {
        whole.open()
        pieces.open()
    }
    (whole.answers, pieces.answers) = (true, true)
    whole.feed(stream, cuts: [stream.count])
    pieces.feed(stream, cuts: cuts)
    // A head that never ends is given up at once or a little later.
    guard stream.count < 8192 else { return }
    expect(whole.seen == pieces.seen, "whole: \(whole.seen)\npieces: \(pieces.seen)")
}

/// A client's session, and what it told its owner.
private struct Session {
    var machine: SMQClientStateMachine
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    var seen: [String] = []
    var isOver = false
    var frames = ByteBuffer()
    var hasRequest: Bool
    let sendsRequest: Bool
    var isConnected = false
    /// Whether the owner answers the init at once.
    var answers = false

    init(_ configuration: SMQClientStateMachine.Configuration) {
        machine = SMQClientStateMachine(configuration)
        hasRequest = configuration.sendsHTTPRequest
        sendsRequest = hasRequest
        machine.start(now: now)
        settle()
    }

    mutating func run(_ input: inout FuzzInput) {
        while !input.isEmpty {
            switch input.byte() & 7 {
            case 0:
                now = now + .milliseconds(Int(input.byte()) * 50)
                let next = machine.tick(now: now)
                expect(next > now, "the next tick is due at once")
            case 1: machine.sendConnect(credentials: input.bytes(300))
            case 2: machine.start(now: now)
            default: receive(input.piece())
            }
            settle()
        }
    }

    /// Brings the session to the state that a broker's connack leads to, as far as the configuration allows.
    mutating func open() {
        if sendsRequest { receive(Array("HTTP/1.1 200 OK\r\nSmqBroker: true\r\n\r\n".utf8)) }
        receive([0, 17, 1, 1, 1, 2, 3, 4] + Array("127.0.0.1".utf8))
        machine.sendConnect(credentials: [])
        receive([0, 8, 3, 0, 0, 0, 0, 7])
        settle()
    }

    /// Gives the machine a stream in pieces of these lengths, the last one repeated.
    mutating func feed(_ stream: [UInt8], cuts: [Int]) {
        var rest = stream[...]
        var cut = 0
        while !rest.isEmpty {
            let length = max(1, cuts.isEmpty ? 1 : cuts[min(cut, cuts.count - 1)])
            receive(Array(rest.prefix(length)))
            settle()
            rest = rest.dropFirst(length)
            cut += 1
        }
    }

    private mutating func receive(_ bytes: [UInt8]) {
        var publishes: [String] = []
        let take: (UInt32, UInt32, UInt32, ByteBuffer) -> Void = { destination, publisher, subtopic, payload in
            publishes.append("publish \(destination) \(publisher) \(subtopic) \(Array(payload.readableBytesView))")
        }
        machine.receive(ByteBuffer(bytes: bytes), now: now, onPublish: take)
        while true {
            expect(publishes.isEmpty || isConnected && !isOver, "a publish outside of a session")
            seen += publishes
            publishes = []
            let events = machine.takeEvents()
            if events.isEmpty { return }
            for event in events { note(event) }
            machine.proceed(onPublish: take)
        }
    }

    /// Takes what the machine has for its owner.
    mutating func settle() {
        for event in machine.takeEvents() { note(event) }
        frames.writeImmutableBuffer(machine.output)
        machine.output.clear()
        if hasRequest, frames.readableBytes > 0 {
            guard let end = frames.readableBytesView.firstRange(of: [13, 10, 13, 10]) else {
                fatalError("invariant broken: half a request")
            }
            frames.moveReaderIndex(to: end.upperBound)
            hasRequest = false
        }
        while frames.readableBytes > 0 {
            guard let message = try? frames.readSMQRawMessage(), let frame = try? SMQFrame(message: message) else {
                fatalError("invariant broken: the client sent a malformed frame")
            }
            switch frame {
            case .connect(_, _, let uid, _, _): expect(uid.readableBytes <= SMQSize.maximumUID, "a long unique id")
            case .ping, .pong: break
            default: fatalError("invariant broken: the client sent \(frame.type) by itself")
            }
        }
    }

    private mutating func note(_ event: SMQClientStateMachine.Event) {
        expect(!isOver, "\(event) after the end")
        switch event {
        case .credentialsNeeded(let seed, let address):
            seen.append("credentials \(seed) \(address)")
            if answers { machine.sendConnect(credentials: []) }
        case .connected(let etid):
            expect(!isConnected, "connected twice")
            isConnected = true
            seen.append("connected \(etid)")
        case .acknowledged(let type, let name, let id):
            seen.append("\(type) \(Array(name.readableBytesView)) \(id ?? 0)")
        case .changed(let id, let subscribers): seen.append("changed \(id) \(subscribers)")
        case .pong(let number): seen.append("pong \(number)")
        case .askedToLeave: seen.append("asked to leave")
        case .disconnected(let reason):
            seen.append("disconnected \(reason)")
            isOver = true
        case .failed(let error):
            expect(!error.message.isEmpty, "a failure without a message")
            seen.append("failed")
            isOver = true
        }
    }
}
