import DeviceCore
import DeviceProtocols
@testable import DeviceTransport
import FuzzSupport
import NIOCore

/// What is read from command lines, files, browsers and payloads: addresses, HTTP heads, JSON, single messages.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzText(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let choice = input.byte()
    let bytes = input.remainder()
    switch choice % 6 {
    case 0: brokerURL(String(decoding: bytes, as: UTF8.self))
    case 1: listenAddress(String(decoding: bytes, as: UTF8.self))
    case 2: httpHead(bytes)
    case 3: json(bytes, allowsComments: choice & 128 != 0)
    case 4: _ = LEDContract.Switch(ByteBuffer(bytes: bytes))
    default: message(bytes)
    }
    return 0
}

private func brokerURL(_ text: String) {
    guard let url = try? BrokerURL(text) else { return }
    expect((1...65535).contains(url.port) && !url.host.isEmpty && url.path.hasPrefix("/"), "\(url)")
    guard let again = try? BrokerURL(url.description) else {
        fatalError("invariant broken: \(url) cannot be read again")
    }
    expect(again.description == url.description, "\(url) is read as \(again)")
    expect(again.host == url.host && again.port == url.port, "\(url) leads elsewhere")
}

private func listenAddress(_ text: String) {
    guard let address = try? ListenAddress(text) else { return }
    expect((0...65535).contains(address.port), "\(address)")
    expect((try? ListenAddress(address.description)) == address, "\(address) cannot be read again")
}

private func httpHead(_ bytes: [UInt8]) {
    guard let request = StreamDetectionHandler.parse(ByteBuffer(bytes: bytes), remote: "10.0.0.1") else { return }
    expect(!request.path.contains("?"), "a path with a query")
    _ = request.header("SimpleMQ")
    _ = request.queryItem("token")
    let policies = [HTTPAccessPolicy(), HTTPAccessPolicy(names: ["pi"], token: "abc", isOpen: false)]
    for policy in policies { _ = policy.refusal(of: request, needsToken: true) }
}

private func json(_ bytes: [UInt8], allowsComments: Bool) {
    var options = JSONParsingOptions.message
    options.allowsComments = allowsComments
    guard let value = try? JSONValue(parsing: bytes, options: options) else { return }
    let text = value.description
    guard let again = try? JSONValue(parsing: Array(text.utf8), options: options) else {
        fatalError("invariant broken: written JSON cannot be read: \(text)")
    }
    expect(again.description == text, "\(text) is read as \(again)")
}

private func message(_ bytes: [UInt8]) {
    guard let frame = try? SMQFrame(message: ByteBuffer(bytes: bytes)), bytes.count + 2 <= SMQSize.maximumFrame else {
        return
    }
    var encoded = ByteBuffer()
    switch frame {
    case .request(let type, let name): encoded.writeSMQ(type, text: String(buffer: name))
    case .ack(let type, let accepted, let id, let name):
        encoded.writeSMQAck(type, accepted: accepted, id: id, name: name)
    case .publish(let to, let from, let subtopic, let payload), .fragment(let to, let from, let subtopic, let payload):
        encoded.writeSMQPublish(frame.type, to: to, from: from, subtopic: subtopic, payload: payload)
    case .reference(let type, let id): encoded.writeSMQ(type, id: id)
    case .change(let id, let subscribers): encoded.writeSMQChange(id: id, subscribers: subscribers)
    default: return
    }
    // Texts that are not UTF-8 can grow; then they may not fit any more.
    guard encoded.readableBytes > 0 else { return }
    var rest = encoded
    guard let read = try? rest.readSMQRawMessage(), let again = try? SMQFrame(message: read), rest.readableBytes == 0
    else {
        fatalError("invariant broken: an encoded message cannot be read")
    }
    if case .request = frame { return expect(again.type == frame.type, "another type") }
    if case .ack(_, false, _, _) = frame { return expect(again.type == frame.type, "another type") }
    expect(again == frame, "\(frame) is read as \(again)")
}
