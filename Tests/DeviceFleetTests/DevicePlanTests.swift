import DeviceCore
import Testing

@testable import device_fleet

@Suite struct DevicePlanTests {
    private struct Step: Hashable {
        var time: Duration
        var action: FleetAction
    }

    private func steps(_ device: Int, _ count: Int, _ set: (inout DevicePlan.Settings) -> Void = { _ in }) -> [Step] {
        var settings = DevicePlan.Settings()
        set(&settings)
        var plan = DevicePlan(settings, device: device)
        var steps: [Step] = []
        while steps.count < count, let next = plan.next() { steps.append(Step(time: next.time, action: next.action)) }
        return steps
    }

    @Test func theSameSeedGivesTheSamePlan() {
        for device in [0, 1, 4999] {
            #expect(steps(device, 500) == steps(device, 500))
            #expect(steps(device, 500) != steps(device, 500) { $0.seed = 8 })
        }
        #expect(steps(0, 500) != steps(1, 500))
    }

    /// A plan that is known by heart: another order of draws would be another fleet.
    @Test func thePlanOfASeedStaysWhatItIs() {
        let first = steps(3, 4).map { "\($0.time.wholeNanoseconds / 1_000_000) ms \($0.action)" }
        #expect(
            first == [
                "2846 ms arrive", "13164 ms read(device_fleet.ReadingKind.light, value: 201)",
                "16076 ms read(device_fleet.ReadingKind.temperature, value: 199)",
                "17726 ms command(led: 2, isOn: false)",
            ])
    }

    @Test(arguments: FleetScenario.allCases) func timesAscendAndActionsFit(_ scenario: FleetScenario) {
        for device in 0..<20 {
            let steps = steps(device, 300) { $0.scenario = scenario }
            #expect(steps.map(\.time) == steps.map(\.time).sorted())
            #expect(steps.first?.action == .arrive)
            #expect(steps.count { $0.action == .arrive } == 1)
            var readings = 0
            var others = 0
            for step in steps.dropFirst() {
                switch step.action {
                case .read: readings += 1
                case .command(let led, _):
                    others += 1
                    #expect((1...DevicePlan.ledCount).contains(led))
                case .press: others += 1
                case .arrive: break
                }
            }
            #expect((readings > 0) == scenario.hasReadings)
            #expect((others > 0) == scenario.hasLEDs)
        }
    }

    @Test func arrivalsFillTheRamp() {
        let arrivals = (0..<1000).compactMap { steps($0, 1).first?.time }
        #expect(arrivals.allSatisfy { $0 >= .zero && $0 <= .seconds(10) })
        for second in 0..<10 {
            let count = arrivals.count { $0 >= .seconds(second) && $0 < .seconds(second + 1) }
            #expect((50...150).contains(count))
        }
        #expect((0..<100).allSatisfy { steps($0, 1) { $0.ramp = .zero }.first?.time == .zero })
    }

    @Test func readingsComeAsOftenAsAsked() {
        let steps = steps(0, 20_000) {
            $0.scenario = .sensors
            $0.every = .seconds(2)
        }
        let mean = (steps.last?.time ?? .zero).seconds / 20_000
        #expect((1.9...2.1).contains(mean))
    }
}
