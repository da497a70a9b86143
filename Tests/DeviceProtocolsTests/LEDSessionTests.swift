import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

/// The vendor's recorded LED session against our broker and our client, byte for byte where bytes are determined.
@Suite struct LEDSessionTests {
    private let device: LEDSession
    private let display: LEDSession

    init() throws {
        device = try LEDSession("smq-led-device.txt")
        display = try LEDSession("smq-led-display.txt")
    }

    /// Seeds and ids in the order in which the broker needs them.
    private let ids: [UInt32] = [
        0x3cfd_9950, 0x0889_40e3, 0x36b4_6c8d, 0xc953_f2ee, 0x5fd3_ce6e, 0x672e_c44f, 0xbf14_b368,  // device
        0x5f8a_2444, 0x5ccf_0d7c,  // display
    ]

    @Test(arguments: [Int.max, 1, 2, 7]) func theBrokerAnswersAsTheVendorsDid(_ pieceLength: Int) throws {
        let bench = BrokerBench(ids: ids)
        var deviceFrames = device.steps.filter { $0.isFromClient && $0.name != "HTTP" }.map(\.bytes)[...]
        var displayFrames = display.steps.filter { $0.isFromClient && $0.name != "HTTP" && $0.name != "EOF" }
            .map(\.bytes)[...]
        func feed(_ peer: BrokerBench.PeerID, _ frames: inout ArraySlice<ByteBuffer>, _ count: Int) {
            for frame in frames.prefix(count) {
                var rest = frame
                while let piece = rest.readSlice(length: min(pieceLength, rest.readableBytes)), piece.readableBytes > 0 {
                    bench.receive(peer, piece)
                }
            }
            frames = frames.dropFirst(count)
        }
        let led = try bench.attach(address: "127.0.0.1")
        feed(led, &deviceFrames, 10)  // connect to the third fragment of the first devinfo
        let page = try bench.attach(address: "127.0.0.1")
        feed(page, &displayFrames, 7)  // connect to "Hello"
        feed(led, &deviceFrames, 3)  // devinfo to that page
        feed(page, &displayFrames, 2)  // observe the device, LED 2 on
        feed(led, &deviceFrames, 1)  // LED 2 is on
        feed(page, &displayFrames, 1)  // goodbye
        #expect(deviceFrames.isEmpty && displayFrames.isEmpty)
        expectSame(bench.wire(led), recorded(device))
        expectSame(bench.wire(page), recorded(display))
        #expect(bench.closed == [page: .clientDisconnected])
        #expect(bench.machine.statistics.unroutable == 1)  // the first devinfo, which nobody waited for
    }

    /// What the recorded broker sent, without HTTP.
    private func recorded(_ session: LEDSession) -> ByteBuffer {
        bytes {
            for step in session.steps where !step.isFromClient && step.name != "HTTP" && step.name != "EOF" {
                $0.writeImmutableBuffer(step.bytes)
            }
        }
    }

    private func expectSame(_ ours: ByteBuffer, _ theirs: ByteBuffer) {
        #expect(ours == theirs)
    }

    @Test(arguments: [false, true]) func theClientUnderstandsTheVendorsBroker(_ isDisplay: Bool) throws {
        let session = isDisplay ? display : device
        let recordedConnect = try #require(session.steps.first { $0.name == "Connect" }).bytes
        let frame = try #require(try recordedConnect.rawFrames().first)
        guard case .connect(let version, _, let uid, let credentials, let information) = frame else {
            throw Unexpected(frame: frame)
        }
        let stream = session.stream(fromClient: false)
        let connackEnd = try #require(session.steps.firstIndex { $0.name == "Connack" })
        let tail = session.stream(fromClient: false, from: connackEnd)
        let head = stream.piece(0..<stream.readableBytes - tail.readableBytes)
        for pieces in splits(of: tail, step: 13) {
            var bench = ClientBench {
                $0.uid = Array(uid.readableBytesView)
                $0.version = version
                $0.information = information
                $0.wantsHTTPResponse = isDisplay
            }
            _ = bench.takeOutput()
            bench.receive(head)
            bench.machine.sendConnect(credentials: Array(credentials.readableBytesView))
            #expect(bench.takeOutput() == recordedConnect)
            for piece in pieces { bench.receive(piece) }
            #expect(bench.failure == nil)
            #expect(bench.story == (isDisplay ? Self.displayStory : Self.deviceStory))
            #expect(bench.publishes.map(\.payload.count) == (isDisplay ? [277, 2] : [5, 2]))
            #expect(bench.machine.ownETID == (isDisplay ? 0x5ccf_0d7c : 0x0889_40e3))
        }
    }

    private static let deviceStory = [
        "credentials 1023252816 127.0.0.1", "connected 143212771", "createack /m2m/led/device 917793933",
        "createack /m2m/temp 3377722094", "createsuback devinfo 1607716462", "createsuback led 1731118159",
        "suback /m2m/led/display 3205804904", "changed 917793933 0", "changed 917793933 1", "changed 917793933 0",
    ]
    private static let displayStory = [
        "credentials 1602888772 127.0.0.1", "connected 1557073276", "createsuback devinfo 1607716462",
        "createsuback led 1731118159", "suback /m2m/temp 3377722094", "suback /m2m/led/device 917793933",
        "createack /m2m/led/display 3205804904",
    ]

    /// Every recorded frame of both sides, read and written again, is the same.
    @Test func everyFrameIsWrittenAsItWasRecorded() throws {
        for step in device.steps + display.steps where step.name != "HTTP" && step.name != "EOF" {
            let frame = try #require(try step.bytes.rawFrames().first)
            #expect(bytes { _ = write(frame, &$0) } == step.bytes, "\(step.name)")
        }
    }

    private func write(_ frame: SMQFrame, _ buffer: inout ByteBuffer) -> Bool {
        switch frame {
        case .initialize(_, let seed, let address): buffer.writeSMQInit(seed: seed, address: address)
        case .connect(let version, let maximum, let uid, let credentials, let information):
            buffer.writeSMQConnect(
                version: version, maximumFrame: maximum, uid: uid.readableBytesView,
                credentials: credentials.readableBytesView, information: information)
        case .connack(let code, let etid, let reason): buffer.writeSMQConnack(code, etid: etid, reason: reason)
        case .request(let type, let name): buffer.writeSMQ(type, text: String(buffer: name))
        case .ack(let type, let accepted, let id, let name):
            buffer.writeSMQAck(type, accepted: accepted, id: id, name: name)
        case .publish(let to, let from, let subtopic, let payload):
            buffer.writeSMQPublish(to: to, from: from, subtopic: subtopic, payload: payload)
        case .fragment(let to, let from, let subtopic, let payload):
            buffer.writeSMQPublish(.pubfrag, to: to, from: from, subtopic: subtopic, payload: payload)
        case .reference(let type, let id): buffer.writeSMQ(type, id: id)
        case .change(let id, let subscribers): buffer.writeSMQChange(id: id, subscribers: subscribers)
        case .disconnect(let reason): buffer.writeSMQ(.disconnect, text: reason)
        case .ping, .pong: buffer.writeSMQ(frame.type)
        }
    }
}
