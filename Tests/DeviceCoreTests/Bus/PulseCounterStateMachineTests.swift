import DeviceCore
import Testing

@Suite struct PulseCounterStateMachineTests {
    /// The encoder of the vendor's manual: both channels, each line the other's level.
    private static var encoder: PulseCounterSettings {
        var a = PulseCounterSettings.Channel(edge: 0, level: 1)
        (a.rising, a.falling, a.low) = (.decrease, .increase, .inverse)
        var b = PulseCounterSettings.Channel(edge: 1, level: 0)
        (b.rising, b.falling, b.low) = (.increase, .decrease, .inverse)
        return PulseCounterSettings(highLimit: 100, lowLimit: -100, channels: [a, b])
    }

    /// One detent of a quadrature encoder whose lines rest high: four edges.
    private static let detent = [(0, false), (1, false), (0, true), (1, true)]

    @Test func aDetentCountsFourEitherWay() {
        var machine = PulseCounterStateMachine(Self.encoder, levels: [true, true])
        machine.isRunning = true
        for (line, level) in Self.detent { _ = machine.edge(line, isHigh: level) }
        #expect(abs(machine.count) == 4)
        for (line, level) in [(1, false), (0, false), (1, true), (0, true)] { _ = machine.edge(line, isHigh: level) }
        #expect(machine.count == 0)
    }

    @Test func nothingCountsBeforeTheStartAndAfterTheStop() {
        var machine = PulseCounterStateMachine(PulseCounterSettings(channels: [.init(edge: 0)]), levels: [false])
        _ = machine.edge(0, isHigh: true)
        #expect(machine.count == 0)
        machine.isRunning = true
        _ = machine.edge(0, isHigh: false)
        _ = machine.edge(0, isHigh: true)
        #expect(machine.count == 1)
        machine.isRunning = false
        _ = machine.edge(0, isHigh: true)
        #expect(machine.count == 1)
        machine.clear()
        #expect(machine.count == 0)
    }

    @Test(arguments: [(false, [3, 5], 2), (true, [3, 5], 7)])
    func limitsBeginAgainOrAccumulate(_ accumulates: Bool, _ reached: [Int], _ count: Int) {
        var settings = PulseCounterSettings(highLimit: 5, lowLimit: -5, channels: [.init(edge: 0)])
        settings.points = [3, 5]
        settings.accumulates = accumulates
        var machine = PulseCounterStateMachine(settings, levels: [false])
        machine.isRunning = true
        var events: [Int] = []
        for _ in 0..<7 {
            events += machine.edge(0, isHigh: true).map(\.count)
            events += machine.edge(0, isHigh: false).map(\.count)
        }
        #expect(events == reached)
        #expect(machine.count == count)
    }

    @Test func zeroTellsFromWhere() {
        var settings = PulseCounterSettings(highLimit: 9, lowLimit: -9, channels: [.init(edge: 0, level: 1)])
        settings.points = [0]
        settings.channels[0].low = .inverse
        var machine = PulseCounterStateMachine(settings, levels: [false, true])
        machine.isRunning = true
        var events: [PulseCounterEvent] = []
        for level in [true, false, false, true] {
            _ = machine.edge(1, isHigh: level)
            events += machine.edge(0, isHigh: true)
        }
        #expect(
            events == [
                PulseCounterEvent(count: 0, crossing: .fromPositive),
                PulseCounterEvent(count: 0, crossing: .fromNegative),
            ])
    }

    @Test func aLevelCanHold() {
        var settings = PulseCounterSettings(channels: [.init(edge: 0, level: 1)])
        settings.channels[0].low = .hold
        var machine = PulseCounterStateMachine(settings, levels: [false, false])
        machine.isRunning = true
        _ = machine.edge(0, isHigh: true)
        #expect(machine.count == 0)
    }

    @Test(arguments: [
        PulseCounterSettings(highLimit: 0, channels: [.init(edge: 0)]),
        PulseCounterSettings(lowLimit: -40000, channels: [.init(edge: 0)]),
        PulseCounterSettings(channels: []), PulseCounterSettings(channels: [.init(edge: 1)]),
        PulseCounterSettings(channels: [.init(edge: 0, level: 4)]),
    ])
    func impossibleSettingsAreRefused(_ settings: PulseCounterSettings) {
        #expect(throws: DeviceError.self) { try settings.check(lines: 1) }
    }

    @Test func aLineThatIsNoneIsIgnored() {
        var machine = PulseCounterStateMachine(Self.encoder, levels: [true, true])
        #expect(machine.edge(7, isHigh: true).isEmpty)
    }
}

@Suite struct FadeCourseTests {
    @Test func goesInEqualSteps() {
        let course = FadeCourse(from: 100, to: 0, start: .zero + .seconds(1), duration: .seconds(2))
        #expect(course.value(at: .zero) == 100)
        #expect(course.value(at: .zero + .seconds(2)) == 50)
        #expect(!course.isOver(at: .zero + .milliseconds(2999)))
        #expect(course.isOver(at: .zero + .seconds(3)))
        #expect(course.value(at: .zero + .seconds(9)) == 0)
        #expect(FadeCourse(from: 1, to: 2, start: .zero, duration: .zero).value(at: .zero) == 2)
    }
}
