import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@Suite struct BrokerHandshakeTests {
    @Test(arguments: [UInt8(1), 2], [SMQFraming.raw, .webSocket])
    func bothVersionsAndFramingsGetIn(_ version: UInt8, _ framing: SMQFraming) throws {
        let bench = BrokerBench(ids: [0x3cfd_9950, 0x0889_40e3])
        let peer = try bench.attach(framing: framing, address: "127.0.0.1")
        #expect(try bench.frames(peer) == [.initialize(version: 1, seed: 0x3cfd_9950, address: "127.0.0.1")])
        bench.connect(peer, uid: "uid-1234", version: version)
        #expect(try bench.frames(peer) == [.connack(.accepted, etid: 0x0889_40e3, reason: "")])
        #expect(bench.machine.statistics.accepted == 1)
        #expect(bench.machine.clientCount == 1)
    }

    @Test(arguments: [0, 3, 5, 6, 255]) func theUniqueIDNeedsSixBytes(_ length: Int) throws {
        let bench = BrokerBench()
        let peer = try bench.attach()
        _ = try bench.frames(peer)
        bench.connect(peer, uid: String(repeating: "u", count: length))
        let frame = try #require(try bench.frames(peer).first)
        guard case .connack(let code, let etid, let reason) = frame else { throw Unexpected(frame: frame) }
        #expect(code == (length < 6 ? .badVersion : .accepted))
        #expect((etid == 0) == (length < 6))
        #expect(reason.contains("6 bytes") == (length < 6))
        #expect(bench.closed[peer] == (length < 6 ? .refused : nil))
    }

    @Test func anUnknownVersionIsRefused() throws {
        let bench = BrokerBench()
        let peer = try bench.attach()
        _ = try bench.frames(peer)
        bench.receive(peer, hex("00 05 02 03 00"))
        guard case .connack(.badVersion, 0, _)? = try bench.frames(peer).first else {
            throw Unexpected()
        }
        #expect(bench.closed[peer] == .refused)
    }

    @Test func whoSendsNoConnectIsTimedOut() throws {
        let bench = BrokerBench()
        let peer = try bench.attach()
        _ = try bench.frames(peer)
        bench.tick(after: .milliseconds(3999))
        #expect(try bench.frames(peer) == [])
        bench.tick(after: .milliseconds(1))
        guard case .connack(.unavailable, 0, _)? = try bench.frames(peer).first else {
            throw Unexpected()
        }
        #expect(bench.closed[peer] == .handshakeTimeout)
        #expect(bench.machine.clientCount == 0)
    }

    @Test func whatComesBeforeTheConnectEndsTheSession() throws {
        let bench = BrokerBench()
        let peer = try bench.attach()
        bench.send(peer) { $0.writeSMQ(.subscribe, text: "a") }
        #expect(bench.closed[peer] == .protocolViolation)
        let polite = try bench.attach()
        bench.send(polite) { $0.writeSMQ(.disconnect) }
        #expect(bench.closed[polite] == .clientDisconnected)
        let again = try bench.open("uid-1234")
        bench.connect(again.peer, uid: "uid-1234")
        #expect(bench.closed[again.peer] == .protocolViolation)
    }

    // MARK: The authenticate hook

    /// The hook may have decided by what was valid before; a client that comes again meets what is valid now.
    @Test func whoseAccountChangesWhileTheHookThinksHasToComeAgain() throws {
        let bench = BrokerBench(authenticates: true)
        let peers = try ["client-1", "client-2"].map { uid in
            let peer = try bench.attach()
            bench.connect(peer, uid: uid)
            _ = try bench.frames(peer)
            return peer
        }
        bench.machine.review { String(buffer: $0) == "client-2" }
        bench.settle()
        for peer in peers { bench.complete(peer, .accept) }
        guard case .connack(.unavailable, 0, _)? = try bench.frames(peers[0]).first else { throw Unexpected() }
        #expect(bench.closed == [peers[0]: .refused])
        _ = try bench.accepted(peers[1])
        let again = try bench.attach()
        bench.connect(again, uid: "client-1")
        _ = try bench.frames(again)
        bench.complete(again, .accept)
        _ = try bench.accepted(again)
    }

    @Test func theHookSeesTheConnectAndAccepts() throws {
        let bench = BrokerBench(authenticates: true, ids: [42])
        let peer = try bench.attach(address: "10.1.2.3", url: "/smq.lsp?x=1")
        _ = try bench.frames(peer)
        bench.connect(peer, uid: "uid-1234")
        #expect(try bench.frames(peer) == [])
        let request = try #require(bench.requests.first?.request)
        #expect(request.uid == text("uid-1234"))
        #expect(request.credentials == text("secret"))
        #expect(request.information == "a test")
        #expect(request.seed == 42)
        #expect(request.address == "10.1.2.3")
        #expect(request.url == "/smq.lsp?x=1")
        #expect(!request.takesOver)
        bench.complete(peer, .accept)
        _ = try bench.accepted(peer)
        // Twice is harmless.
        bench.complete(peer, .refuse(.denied, ""))
        #expect(bench.closed.isEmpty)
    }

    @Test(arguments: [SMQConnackCode.badCredentials, .certificateRequired, .certificateRejected, .denied])
    func theHookRefuses(_ code: SMQConnackCode) throws {
        let bench = BrokerBench(authenticates: true)
        let peer = try bench.attach()
        _ = try bench.frames(peer)
        bench.connect(peer, uid: "uid-1234")
        bench.complete(peer, .refuse(code, "because"))
        #expect(try bench.frames(peer) == [.connack(code, etid: 0, reason: "because")])
        #expect(bench.closed[peer] == .refused)
        #expect(bench.machine.queuedByteCount == 0)
    }

    @Test func aRefusalIsNeverAnAcceptance() throws {
        let bench = BrokerBench(authenticates: true)
        let peer = try bench.attach()
        _ = try bench.frames(peer)
        bench.connect(peer, uid: "uid-1234")
        bench.complete(peer, .refuse(.accepted, ""))
        #expect(try bench.frames(peer) == [.connack(.denied, etid: 0, reason: "")])
    }

    @Test func theHooksAnswerCanComeTooLate() throws {
        let bench = BrokerBench(authenticates: true)
        let peer = try bench.attach()
        bench.connect(peer, uid: "uid-1234")
        bench.tick(after: .seconds(4))
        #expect(bench.closed[peer] == .handshakeTimeout)
        bench.complete(peer, .accept)
        // The slot has another client now.
        let other = try bench.attach()
        _ = try bench.frames(other)
        bench.complete(peer, .accept)
        #expect(try bench.frames(other) == [])
        #expect(bench.machine.statistics.accepted == 0)
    }

    /// However the bytes are cut: what follows the connect waits until the hook has decided.
    @Test func framesThatAreSentEarlyAreKept() throws {
        let stream = bytes {
            $0.writeSMQConnect(uid: "uid-1234".utf8, credentials: [], information: "")
            $0.writeSMQ(.subscribe, text: "topic")
            $0.writeSMQ(.ping)
        }
        for pieces in splits(of: stream) {
            let bench = BrokerBench(authenticates: true)
            let peer = try bench.attach()
            _ = try bench.frames(peer)
            for piece in pieces { bench.receive(peer, piece) }
            #expect(try bench.frames(peer) == [])
            bench.complete(peer, .accept)
            let frames = try bench.frames(peer)
            #expect(frames.map(\.type) == [.connack, .suback, .pong], "\(pieces.map(\.readableBytes))")
        }
    }

    @Test func tooMuchSentEarlyEndsTheSession() throws {
        var limits = SMQBrokerLimits()
        limits.frameLength = 100
        let bench = BrokerBench(limits, authenticates: true)
        let peer = try bench.attach()
        bench.connect(peer, uid: "uid-1234")
        for _ in 0..<40 { bench.send(peer) { $0.writeSMQ(.ping) } }
        #expect(bench.closed[peer] == .protocolViolation)
        let browser = try bench.attach(framing: .webSocket)
        bench.connect(browser, uid: "uid-1235")
        bench.send(browser) { $0.writeSMQ(.ping) }
        #expect(bench.closed[browser] == .protocolViolation)
    }
}
