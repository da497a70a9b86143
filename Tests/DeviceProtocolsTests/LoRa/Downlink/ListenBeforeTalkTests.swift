import DeviceProtocols
import Testing

/// Listening before talking, as the queue sees it.
@Suite struct ListenBeforeTalkTests {
    private typealias Bench = DownlinkBench

    private static func settings(_ channels: [ListenBeforeTalk.Channel]) -> DownlinkSettings {
        var settings = Bench.settings(.eu868)
        settings.plan.listenBeforeTalk = ListenBeforeTalk(rssiTarget: -80, channels: channels)
        return settings
    }

    @Test func aTakenChannelIsAFailureAndTheNextFrameIsSent() {
        var bench = Bench(Self.settings([]))
        bench.busy = [1]
        let frame = Bench.frame(9, hertz: 868_100_000)
        #expect(bench.request(.count(bench.now + 1_000_000), id: 1, frame).acceptance != nil)
        #expect(bench.request(.count(bench.now + 2_000_000), id: 2, frame).acceptance != nil)
        bench.run(until: bench.now + 3_000_000)
        #expect(bench.actions.contains(.failed(id: 1, .channelBusy)))
        #expect(bench.sent.map(\.id) == [2])
        #expect(bench.queue.counters.failed == [.channelBusy: 1] && bench.queue.counters.emitted == 1)
        // What was not sent does not count.
        #expect(bench.queue.dutyRecords(now: bench.now).reduce(0) { $0 + $1.airtime } == bench.queue.counters.airtime)
    }

    @Test func onlyItsChannelsAreSentOnAndNoLongerThanTheyAllow() {
        let channel = ListenBeforeTalk.Channel(
            frequency: RadioFrequency(hertz: 868_100_000), scanTime: 5000, longestFrame: 400_000)
        var bench = Bench(Self.settings([channel]))
        let later = DownlinkRequest.Timing.count(bench.now + 1_000_000)
        #expect(bench.request(later, id: 1, Bench.frame(7, hertz: 868_300_000)).refusal == .txFrequency)
        #expect(bench.request(later, id: 2, Bench.frame(12, bytes: 30, hertz: 868_100_000)).refusal == .dwellTime)
        #expect(bench.request(later, id: 3, Bench.frame(7, hertz: 868_100_000)).acceptance != nil)
        // A server that keeps the law itself does not change what the radio does.
        var trusting = Self.settings([channel])
        trusting.trustsServer = true
        bench = Bench(trusting)
        #expect(bench.request(later, id: 1, Bench.frame(7, hertz: 868_300_000)).refusal == .txFrequency)
    }

    @Test(
        arguments: [
            ("KR920", Int8(-67)), ("kr920", -67), ("AS923JP", -80), ("as923-jp", -80), ("AS923-1", nil), ("EU868", nil),
            ("", nil),
        ] as [(String, Int8?)]) func whatRegionsAskFor(_ name: String, _ target: Int8?)
    {
        let listening = ListenBeforeTalk(regionNamed: name)
        #expect(listening?.rssiTarget == target)
        #expect(listening == nil || listening?.scanTime == 5000)
        #expect(listening == nil || Region(named: name) != nil)
    }
}
