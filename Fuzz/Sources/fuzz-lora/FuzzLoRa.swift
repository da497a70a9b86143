import DeviceCore
import DeviceProtocols
import FuzzSupport
import NIOCore

/// What comes from the air and from network servers: LoRaWAN frames, Basics Station's messages, GWMP.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLoRa(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let choice = input.byte()
    let bytes = input.remainder()
    switch choice % 6 {
    case 0: frame(bytes)
    case 1: gwmp(bytes)
    case 2: upMessage(bytes)
    case 3: downMessage(bytes)
    case 4: discovery(bytes)
    default: names(String(decoding: bytes, as: UTF8.self))
    }
    return 0
}

private func frame(_ bytes: [UInt8]) {
    guard let frame = try? LoRaWANFrame(bytes) else { return }
    expect((try? LoRaWANFrame(frame.bytes)) == frame, "\(frame) is read as another")
    expect(frame.bytes.count == bytes.count, "another length")
    guard case .data(let data) = frame else { return }
    _ = data.fullCounter(from: data.mic)
    expect(data.options.count < 16 && (data.port != nil || data.payload.isEmpty), "\(data)")
}

private func gwmp(_ bytes: [UInt8]) {
    guard let datagram = try? GWMPDatagram(ByteBuffer(bytes: bytes)) else { return }
    var buffer = ByteBuffer()
    buffer.writeGWMP(datagram)
    guard let again = try? GWMPDatagram(buffer) else {
        fatalError("invariant broken: a written datagram cannot be read")
    }
    expect(again.content.type == datagram.content.type, "another type")
    guard case .pullResp(let txpk) = datagram.content else { return }
    expect(again.content == datagram.content, "another frame")
    let request = DownlinkRequest(txpk, id: 1)
    expect(request.frame.payload == txpk.payload, "another payload")
}

private func upMessage(_ bytes: [UInt8]) {
    guard let message = try? LNSUpMessage(bytes), let json = message.json() else { return }
    guard let again = try? LNSUpMessage(json.utf8) else {
        fatalError("invariant broken: a written message cannot be read: \(json)")
    }
    expect(again.json() == json, "\(json) is read as \(again)")
}

private func downMessage(_ bytes: [UInt8]) {
    guard let message = try? LNSDownMessage(bytes) else { return }
    let json = message.json
    guard let again = try? LNSDownMessage(json.utf8) else {
        fatalError("invariant broken: a written message cannot be read: \(json)")
    }
    expect(again.json == json, "\(json) is read as \(again)")
    let config = LNSRouterConfig(.eu868, plan: RadioPlan(.eu868))
    let station = DownlinkRequest.Station(config: config, session: 1, now: 1 << 40)
    switch message {
    case .routerConfig(let config):
        guard let plan = try? config.plan(local: nil) else { return }
        expect(plan.channels.count <= 10 && plan.channels.allSatisfy { $0.rfChain < 2 }, "\(plan)")
    case .downlink(let downlink):
        guard let requests = try? DownlinkRequest.requests(downlink, id: 1, station: station) else { return }
        expect((1...2).contains(requests.count), "\(requests.count) requests")
    case .schedule(let frames, _):
        for frame in frames { _ = try? DownlinkRequest(frame, id: 1, station: station) }
    default: break
    }
}

private func discovery(_ bytes: [UInt8]) {
    if let router = try? LNSDiscovery.router(bytes) {
        expect((try? LNSDiscovery.router(LNSDiscovery.request(router).utf8)) == router, "\(router)")
    }
    guard let answer = try? LNSDiscovery.answer(bytes) else { return }
    guard let again = try? LNSDiscovery.answer(LNSDiscovery.json(answer, router: EUI64(1)).utf8) else {
        fatalError("invariant broken: a written answer cannot be read")
    }
    if case .uri(let uri, _) = answer, case .uri(let other, _) = again { expect(uri == other, "another address") }
}

private func names(_ text: String) {
    if let eui = EUI64(station: text) {
        expect(EUI64(station: eui.id6) == eui && EUI64(station: eui.dashed) == eui, "\(eui)")
    }
    if let rate = LoRaDataRate(text) {
        _ = TimeOnAir.microseconds(bytes: 255, modulation: .lora(rate))
    }
    _ = DevAddr(text)
    _ = LoRaWANKey(text)
    _ = Region(named: text)
    _ = UTCTime(text)
}
