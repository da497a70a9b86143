import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@Suite struct ClientHandshakeTests {
    private static let response = "HTTP/1.1 200 OK\r\nServer: x\r\nSmqBroker: true\r\n\r\n"

    @Test func theRequestOfBothForms() {
        var withResponse = ClientBench {
            $0.host = "broker:8080"
            $0.path = "/smq.lsp?token=1"
        }
        #expect(
            String(buffer: withResponse.takeOutput())
                == "GET /smq.lsp?token=1 HTTP/1.1\r\nHost: broker:8080\r\nSimpleMQ: 1\r\nSendSmqHttpResponse: true\r\n"
                + "User-Agent: DeviceSDK\r\n\r\n")
        var without = ClientBench { $0.wantsHTTPResponse = false }
        let request = String(buffer: without.takeOutput())
        #expect(request.hasPrefix("GET /smq.lsp HTTP/1.0\r\nHost: localhost\r\nSimpleMQ: 1\r\n"))
        #expect(!request.contains("SendSmqHttpResponse"))
        var webSocket = ClientBench { $0.sendsHTTPRequest = false }
        #expect(webSocket.takeOutput().readableBytes == 0)
    }

    /// With and without the HTTP response, in all pieces, up to the connack and the first messages.
    @Test(arguments: ["", response, response.replacing("SmqBroker", with: "smqbroker")], [true, false])
    func anyPieces(_ head: String, _ sendsHTTPRequest: Bool) throws {
        guard sendsHTTPRequest || head.isEmpty else { return }
        let first = bytes {
            $0.writeString(head)
            $0.writeSMQInit(seed: 0x3cfd_9950, address: "127.0.0.1")
        }
        let second = bytes {
            $0.writeSMQConnack(.accepted, etid: 0x1001)
            $0.writeSMQAck(.suback, accepted: true, id: 7, name: text("topic"))
            $0.writeSMQPublish(to: 7, from: 0x1001, subtopic: 3, payload: text("hello"))
            $0.writeSMQAck(.createsuback, accepted: false, id: 0, name: text("sub"))
            $0.writeSMQ(.ping)
            $0.writeSMQChange(id: 7, subscribers: 2)
            $0.writeSMQ(.disconnect, text: "bye")
        }
        for before in splits(of: first) {
            for after in before.count == 1 ? splits(of: second) : [[second]] {
                var bench = ClientBench { $0.sendsHTTPRequest = sendsHTTPRequest }
                _ = bench.takeOutput()
                for piece in before { bench.receive(piece) }
                #expect(bench.takeOutput().readableBytes == 0)
                bench.machine.sendConnect(credentials: [9])
                #expect(
                    try bench.takeOutput().rawFrames() == [
                        .connect(
                            version: 1, maximumFrame: 0, uid: text("client"), credentials: ByteBuffer(bytes: [9]),
                            information: "")
                    ])
                for piece in after { bench.receive(piece) }
                #expect(
                    bench.story == [
                        "credentials 1023252816 127.0.0.1", "connected 4097", "suback topic 7",
                        "createsuback sub denied", "changed 7 2", "disconnected bye",
                    ])
                #expect(
                    bench.publishes == [
                        ClientBench.Publish(destination: 7, publisher: 0x1001, subtopic: 3, payload: "hello")
                    ])
                #expect(try bench.takeOutput().rawFrames() == [.pong])
            }
        }
    }

    @Test func versionTwo() throws {
        var bench = ClientBench { $0.version = 2 }
        bench.receive(bytes { $0.writeSMQInit(seed: 1, address: "") })
        _ = bench.takeOutput()
        bench.machine.sendConnect(credentials: [])
        bench.machine.sendConnect(credentials: [])
        let frames = try bench.takeOutput().rawFrames()
        guard case .connect(2, 0, _, _, _)? = frames.first, frames.count == 1 else { throw Unexpected(frame: frames.first) }
    }

    @Test func credentialsThatDoNotFit() {
        var bench = ClientBench()
        bench.receive(bytes { $0.writeSMQInit(seed: 1, address: "") })
        bench.machine.sendConnect(credentials: [UInt8](repeating: 1, count: 256))
        bench.receive(ByteBuffer())
        _ = bench.tick(after: .zero)
        #expect(bench.failure?.code == .invalidArgument)
    }

    // MARK: Not a broker

    @Test(arguments: [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"),
        ("HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\n\r\n", "302"),
        ("HTTP/1.0 500 Oops\r\n\r\n", "500"),
        ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", "ordinary web page"),
        ("HTTP\r\n\r\n", "HTTP status 0"),
        ("H\r\n\r\n", "HTTP status 0"),
    ])
    func aWebServer(_ response: String, _ expected: String) throws {
        for pieces in splits(of: text(response)) {
            var bench = ClientBench()
            for piece in pieces { bench.receive(piece) }
            let error = try #require(bench.failure)
            #expect(error.code == .protocolViolation)
            #expect(error.message.contains(expected))
            #expect(error.hint?.contains("smq://") == true)
        }
    }

    @Test(arguments: [401, 403]) func aServerThatDoesNotPermitIt(_ status: Int) throws {
        var bench = ClientBench()
        bench.receive(text("HTTP/1.1 \(status) No\r\nContent-Length: 0\r\n\r\n"))
        let error = try #require(bench.failure)
        #expect(error.code == .permission)
        #expect(error.hint?.contains("token") == true)
    }

    @Test func anHTTPResponseWithoutAnEnd() {
        var bench = ClientBench()
        bench.receive(text("HTTP/1.1 200 OK\r\n"))
        for _ in 0..<100 { bench.receive(text("X-Filler: " + String(repeating: "x", count: 100) + "\r\n")) }
        #expect(bench.failure?.code == .protocolViolation)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "220 mail.example.com ESMTP\r\n", "\u{15}\u{3}\u{1}\u{0}\u{2}", "-ERR\r\n",
        "\u{0}\u{2}\u{1}",
    ])
    func anotherProtocol(_ banner: String) throws {
        for pieces in splits(of: text(banner)) {
            var bench = ClientBench()
            for piece in pieces { bench.receive(piece) }
            let error = try #require(bench.failure, "\(banner)")
            #expect(error.code == .protocolViolation)
            #expect(error.hint?.contains("SMQ broker") == true)
        }
    }

    @Test(arguments: 0..<50) func noise(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var bench = seed.isMultiple(of: 2) ? ClientBench() : ClientBench.open()
        for _ in 0..<200 {
            bench.receive(
                bytes { buffer in
                    let length = Int.random(in: 0...20, using: &random)
                    buffer.writeInteger(UInt16(length + 3))
                    buffer.writeInteger(UInt8.random(in: 0...20, using: &random))
                    for _ in 0..<length { buffer.writeInteger(UInt8.random(in: 0...255, using: &random)) }
                })
        }
        _ = bench.tick(after: .seconds(60))
        _ = bench.tick(after: .seconds(60))
        #expect(bench.failure != nil || bench.story.contains { $0.hasPrefix("disconnected") })
    }

    @Test func aBrokerOfAnotherVersion() {
        var bench = ClientBench()
        bench.receive(hex("00 08 01 02 00 00 00 01"))
        #expect(bench.failure?.message.contains("version 2") == true)
    }

    @Test(arguments: ["00 03 0c", "00 08 03 00 00 00 10 01", "00 03 0b"]) func noInitFirst(_ digits: String) {
        var bench = ClientBench()
        bench.receive(hex(digits))
        #expect(bench.failure?.code == .protocolViolation)
    }

    // MARK: Refusals

    @Test(arguments: [
        (1, "refused"), (2, "unavailable"), (3, "permission"), (4, "permission"), (5, "permission"),
        (6, "permission"), (99, "refused"),
    ])
    func refusals(_ code: UInt8, _ expected: String) throws {
        for isEarly in [true, false] {
            var bench = ClientBench()
            bench.receive(bytes { $0.writeSMQInit(seed: 1, address: "") })
            if !isEarly { bench.machine.sendConnect(credentials: []) }
            bench.receive(
                bytes { $0.writeSMQConnack(SMQConnackCode(rawValue: code), etid: 0, reason: "because of tests") })
            let error = try #require(bench.failure)
            #expect(error.code.description == expected)
            #expect(error.message.contains("because of tests"))
            #expect(!bench.machine.isOpen && bench.machine.ownETID == 0)
        }
    }

    @Test func nothingIsReadAfterTheEnd() {
        var bench = ClientBench.open()
        bench.receive(
            bytes {
                $0.writeSMQ(.disconnect, text: "reconnect")
                $0.writeSMQPublish(to: 1, from: 2, subtopic: 0, payload: text("late"))
            })
        bench.receive(bytes { $0.writeSMQ(.disconnect) })
        #expect(bench.story == ["disconnected reconnect"])
        #expect(bench.publishes.isEmpty)
        #expect(bench.tick(after: .seconds(100)) == .distantFuture)
    }
}
