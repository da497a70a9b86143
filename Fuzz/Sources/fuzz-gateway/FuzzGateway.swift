import DeviceCore
import DeviceProtocols
import FuzzSupport
import NIOCore

@testable import GatewayFiles

/// What the gateway reads from its disk and from its radio's socket: Semtech's files, its own, Basics Station's
/// directory, the duty cycle's file, records of the simulated SX1301.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzGateway(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let choice = input.byte()
    let bytes = input.remainder()
    switch choice % 5 {
    case 0: record(bytes)
    case 1: settings(bytes, "/etc/global_conf.json")
    case 2: settings(bytes, "/etc/gateway.json")
    case 3: station(bytes)
    default: dutyCycle(bytes)
    }
    return 0
}

/// One record, filled up with zeros unless it is hardly any.
private func record(_ bytes: [UInt8]) {
    var record = Array(bytes.prefix(LgwsimRecord.receivedSize))
    if record.count > 4 { record += [UInt8](repeating: 0, count: LgwsimRecord.receivedSize - record.count) }
    guard case .frame(let uplink, let count) = LgwsimRecord.decode(ByteBuffer(bytes: record), receivedAt: .zero) else {
        return
    }
    expect(record.count == LgwsimRecord.receivedSize, "a frame of \(record.count) bytes")
    expect(uplink.payload.count <= 255 && uplink.count == UInt64(count), "\(uplink)")
    expect(uplink.rssi.isFinite && uplink.snr?.isFinite == true, "\(uplink)")
    // The same frame downwards has its own size, or none.
    let downlink = RadioDownlink(
        count: uplink.count, frequency: uplink.frequency, modulation: uplink.modulation,
        codingRate: uplink.codingRate ?? .fourFifths, power: 14, rfChain: uplink.rfChain, payload: uplink.payload)
    let size = LgwsimRecord.encode(downlink)?.readableBytes ?? LgwsimRecord.sentSize
    expect(size == LgwsimRecord.sentSize, "\(size) bytes to send")
}

/// The files of a directory: a zero byte ends each.
private func files(_ bytes: [UInt8], _ names: [String]) -> (String) throws(DeviceError) -> [UInt8] {
    let parts = bytes.split(separator: 0, maxSplits: names.count - 1, omittingEmptySubsequences: false)
    let contents = Dictionary(uniqueKeysWithValues: zip(names, parts.map { Array($0) }))
    return { path throws(DeviceError) in
        guard let content = contents[path] else { throw DeviceError(.notFound, "cannot read \(path)") }
        return content
    }
}

private func settings(_ bytes: [UInt8], _ path: String) {
    let names = [path, "/etc/local_conf.json", "/etc/loragateway.json", "/etc/other.json"]
    let loader = ConfigurationLoader(readFile: files(bytes, names))
    _ = loader.isGatewayFile(path)
    let (configuration, problems) = loader.load(path)
    judge(configuration, problems)
    expect(!problems.isEmpty || !configuration.uplinks.isEmpty, "no up-link, and nothing is said")
}

private func station(_ bytes: [UInt8]) {
    let names = ["/s/tc.uri", "/s/station.conf", "/s/tc.key", "/s/tc.crt"]
    var directory = StationDirectory(path: "/s")
    directory.readFile = files(bytes, names)
    let (configuration, problems) = directory.load()
    judge(configuration, problems)
}

private func judge(_ configuration: GatewayConfiguration, _ problems: ConfigurationProblems) {
    expect(problems.sentences.allSatisfy { $0.hasSuffix(".") && $0.utf8.count > 10 }, "problems without words")
    expect(configuration.uplinks.count <= 18, "\(configuration.uplinks.count) up-links")
    if let plan = configuration.plan {
        expect(
            plan.channels.count <= 10 && plan.channels.allSatisfy { plan.rfChains.indices.contains(Int($0.rfChain)) },
            "\(plan)")
        expect(plan.listenBeforeTalk?.channels.count ?? 0 <= 16, "\(plan)")
        _ = RegionChoice.region(named: configuration.region, plan: plan)
        // What is judged by it does not trap either.
        let settings = DownlinkSettings(plan: plan, region: .eu868)
        var queue = DownlinkQueue(settings)
        _ = queue.enqueue(
            DownlinkRequest(
                id: 1, timing: .immediately,
                frame: RadioDownlink(
                    count: nil, frequency: RadioFrequency(hertz: 868_100_000),
                    modulation: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)), power: 14, payload: [1])),
            now: 0)
    }
    expect(!ConfigurationSummary(configuration).text.isEmpty, "no summary")
}

private func dutyCycle(_ bytes: [UInt8]) {
    let now = HostMoment(utc: 1_800_000_000_000_000, uptime: 100_000_000, boot: "b")
    guard let records = try? DutyCycleFile.decode(bytes, region: "EU868", now: now) else { return }
    var duty = DutyCycle(.eu868)
    duty.restore(records, at: 7_200_000_000)
    for band in -1...7 { _ = duty.allows(1, band: band, at: 7_200_000_000) }
    let kept = duty.records(at: 7_200_000_000)
    let text = DutyCycleFile.encode(kept, region: "EU868", at: now)
    let again = try? DutyCycleFile.decode(Array(text.utf8), region: "EU868", now: now)
    expect(again == kept, "\(kept) is read as \(String(describing: again))")
}
