import DeviceCore
import DeviceProtocols
import Testing

@testable import DeviceSimulator

@Suite struct EventQueueTests {
    @Test func comesOutByTimeAndThenAsPutIn() {
        var random = SplitMix64(seed: 3)
        var queue = EventQueue<Int>()
        let times = (0..<500).map { _ in UInt64.random(in: 0..<50, using: &random) }
        for (number, time) in times.enumerated() { queue.add(number, at: time) }
        let expected = times.enumerated().sorted { ($0.element, $0.offset) < ($1.element, $1.offset) }
        var order: [Int] = []
        while let (time, number) = queue.popFirst(until: .max) {
            #expect(times[number] == time)
            order.append(number)
        }
        #expect(order == expected.map(\.offset))
    }

    @Test func keepsWhatIsNotDue() {
        var queue = EventQueue<String>()
        queue.add("late", at: 20)
        queue.add("early", at: 10)
        #expect(queue.nextTime == 10)
        #expect(queue.popFirst(until: 9) == nil)
        #expect(queue.popFirst(until: 10)?.event == "early")
        #expect(queue.popFirst(until: 19) == nil)
        #expect(queue.count == 1)
    }
}
