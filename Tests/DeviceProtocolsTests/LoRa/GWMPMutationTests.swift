import DeviceProtocols
import NIOCore
import Testing

/// What no peer may do is end the program: 100,000 datagrams that were good once.
@Suite struct GWMPMutationTests {
    /// Good datagrams of all types to begin with.
    private static var seeds: [[UInt8]] {
        var frame = GWMPRxpk(
            freq: RadioFrequency(hertz: 868_100_000),
            modulation: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)), codr: .fourFifths,
            payload: Array(0..<20))
        frame.tmst = 3_512_348_611
        frame.time = UTCTime(microseconds: 1_364_746_877_528_002)
        frame.rssi = -35
        frame.lsnr = 5.1
        frame.rsig = [GWMPRxSignal()]
        frame.meta = ["a": "b"]
        var stat = GWMPStat()
        stat.time = frame.time
        stat.lati = 46.24
        stat.ackr = 100
        let send = GWMPTxpk(
            timing: .counter(5), freq: frame.freq, powe: 14, modulation: frame.modulation, codr: .fourFifths,
            payload: [1, 2, 3])
        let contents: [GWMPContent] = [
            .pushData(GWMPPushData(rxpk: [frame, frame], stat: stat)), .pushAck, .pullData, .pullResp(send), .pullAck,
            .txAck(GWMPTxpkAck(error: .tooLate, value: 1)),
        ]
        return contents.map { content in
            var buffer = ByteBuffer()
            buffer.writeGWMP(GWMPDatagram(token: 7, gateway: GatewayEUI(1), content: content))
            return Array(buffer.readableBytesView)
        }
    }

    private static let words = [
        "null", "-1", "1e999", "4294967296", "9223372036854775808", "NaN", "-inf", "200", "\"\\u0000\"", "[[[[[[", "{}",
        "\"size\":", "868.1e-400", "\\ud800", "0.1", "\u{FFFD}", "==", "\"rxpk\":",
    ].map { Array($0.utf8) }

    @Test func mutatedDatagramsAreReadOrRefused() {
        var random = SeededRandom(seed: 0x10_4A)
        let seeds = Self.seeds
        var read = 0
        for _ in 0..<100_000 {
            var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
            for _ in 0..<Int.random(in: 1...4, using: &random) { Self.mutate(&bytes, &random) }
            guard let datagram = try? GWMPDatagram(ByteBuffer(bytes: bytes)) else { continue }
            read += 1
            // What was read can be written, and is then read as the same.
            guard datagram.content.type != .pushData || read % 16 == 0 else { continue }
            var again = ByteBuffer()
            again.writeGWMP(datagram)
            var expected = datagram
            if case .pushData(var data) = datagram.content {
                data.rejected = []
                expected.content = .pushData(data)
            }
            #expect((try? GWMPDatagram(again)) == expected)
        }
        // Many are still good: the decoder did not stop at its first check.
        #expect(read > 10_000, "\(read)")
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        guard !bytes.isEmpty else { return bytes.append(UInt8.random(in: .min ... .max, using: &random)) }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        case 2: bytes.remove(at: place)
        case 3: bytes.removeLast(bytes.count - place)
        case 4: bytes.insert(contentsOf: words[Int.random(in: 0..<words.count, using: &random)], at: place)
        case 5: bytes[place] = UInt8(ascii: "9")
        default:
            let end = Int.random(in: place..<bytes.count, using: &random)
            bytes.insert(contentsOf: bytes[place...end], at: place)
        }
    }
}
