import DeviceCore
import DeviceSimulator
import Testing

@Suite(.timeLimit(.minutes(5))) struct SimulatedBoardTests {
    let clock = ManualClock()
    let board: SimulatedBoard

    init() throws { board = SimulatedBoard(try Board.named("rpi4"), clock: clock) }

    private func output(
        _ addresses: LineAddress..., activeLow: UInt64 = 0, values: UInt64 = 0, drive: Drive = .pushPull,
        release: ReleasePolicy = .off
    ) throws -> any OutputRequest {
        try board.requestOutputs(
            addresses.map { try board.find($0) },
            OutputSettings(
                consumer: "test", activeLow: activeLow, values: values, drive: drive, release: release))
    }

    @Test(arguments: Board.all) func standsInForEveryBoard(_ known: Board) throws {
        let board = SimulatedBoard(known)
        #expect(try board.chips().map(\.label) == known.chips)
        for pin in known.header where pin.isGPIO {
            let line = try board.find(.pin(pin.number))
            #expect(line.chip == pin.chip)
            #expect(line.offset == pin.offset)
            #expect(try !board.info(line).isUsed)
            #expect(try board.isHigh(.pin(pin.number)) == (pin.defaultPull == .pullUp))
        }
        for led in known.leds {
            #expect(try board.info(at: .offset(chip: led.chip, offset: led.offset)).consumer == led.name)
        }
    }

    /// They begin with one table, but what happens to one is nothing to the others.
    @Test func boardsOfOneKindAreApart() throws {
        let other = SimulatedBoard(board.board, clock: clock)
        let request = try output("GPIO17", values: 1)
        #expect(try board.isHigh("GPIO17") && !other.isHigh("GPIO17"))
        #expect(try !other.info(at: "GPIO17").isUsed)
        let madeUp = SimulatedBoard(Board(name: board.board.name, model: "another"), clock: clock)
        #expect(try madeUp.chips().isEmpty)
        withExtendedLifetime(request) {}
    }

    @Test func outputsAreSetTogetherAndRecordedWithTheirTimes() throws {
        let request = try output("GPIO17", "GPIO27", "GPIO22", values: 0b001)
        clock.advance(by: .seconds(1))
        try request.set(0b110, mask: 0b011)
        #expect(request.values == 0b010)
        #expect(board.changes.map(\.line.name) == ["GPIO17", "GPIO17", "GPIO27"])
        #expect(board.changes.map(\.isHigh) == [true, false, true])
        #expect(board.changes.map { $0.time - .zero } == [.zero, .seconds(1), .seconds(1)])
        board.clearChanges()
        try request.set(0b010, mask: 0b011)
        #expect(board.changes.isEmpty, "a level that stays is no change")
        #expect(try board.info(at: "GPIO27").consumer == "test")
        #expect(try board.info(at: "GPIO27").isOutput)
    }

    @Test func activeLowAndOpenDrainOutputs() throws {
        let low = try output("GPIO17", activeLow: 1, values: 0)
        #expect(try board.isHigh("GPIO17"))
        try low.set(1, mask: 1)
        #expect(try !board.isHigh("GPIO17"))
        let open = try output("GPIO27", values: 1, drive: .openDrain)
        #expect(try !board.isHigh("GPIO27"), "nothing pulls it up")
        try board.pull("GPIO27", .pullUp)
        #expect(try board.isHigh("GPIO27"))
        try open.set(0, mask: 1)
        #expect(try !board.isHigh("GPIO27"))
    }

    @Test(arguments: ReleasePolicy.allCases) func releasePolicies(_ policy: ReleasePolicy) throws {
        try board.pull("GPIO17", .pullUp)
        let request = try output("GPIO17", values: 1, release: policy)
        request.close(nil)
        let info = try board.info(at: "GPIO17")
        #expect(!info.isUsed)
        #expect(info.isOutput == (policy == .off || policy == .leave))
        #expect(try board.isHigh("GPIO17") == (policy != .off))
        request.close(.off)
        let error = #expect(throws: DeviceError.self) { try request.set(1, mask: 1) }
        #expect(error?.code == .closed)
    }

    @Test func outputsAreGivenBackWithTheirLastReference() throws {
        do { _ = try output("GPIO17", values: 1) }
        #expect(try !board.info(at: "GPIO17").isUsed)
        #expect(try !board.isHigh("GPIO17"))
    }

    @Test func busyLinesAndMissingPermissionAreExplained() throws {
        try board.setBusy("GPIO8", consumer: "spi0 CS0")
        let busy = #expect(throws: DeviceError.self) { try output("GPIO17", "GPIO8") }
        #expect(busy?.code == .busy)
        #expect(busy?.description.contains("\"spi0 CS0\"") == true)
        #expect(try !board.info(at: "GPIO17").isUsed, "all or none")
        try board.setBusy("GPIO8", consumer: nil)
        _ = try output("GPIO8")
        let mine = try output("GPIO17")
        #expect(throws: DeviceError.self) { try output("GPIO17") }
        mine.close(nil)

        board.setPermissionDenied(true)
        let denied = #expect(throws: DeviceError.self) { try board.find("GPIO17") }
        #expect(denied?.code == .permission)
        #expect(denied?.hint?.contains("usermod -aG gpio") == true)
        #expect(try !board.isHigh("GPIO17"), "the world outside needs no permission")
    }

    @Test func requestsAreChecked() throws {
        let line = try board.find("GPIO17")
        let other = try board.find("raspberrypi-exp-gpio:0")
        let settings = OutputSettings(consumer: "test")
        for lines in [[], [line, line], [line, other], Array(repeating: line, count: 65)] {
            let error = #expect(throws: DeviceError.self) { try board.requestOutputs(lines, settings) }
            #expect(error?.code == .invalidArgument)
        }
        let foreign = GPIOLine(chip: "x", device: "gpiochip9", offset: 0, name: nil, pin: nil)
        #expect(throws: DeviceError.self) { try board.requestOutputs([foreign], settings) }
    }

    @Test func inputsFollowPullsAndContacts() throws {
        let line = try board.find("GPIO22")
        let request = try board.requestInputs([line], InputSettings(consumer: "test", activeLow: 1, bias: .pullUp))
        #expect(try board.isHigh("GPIO22"))
        #expect(try request.values() == 0)
        try board.press("GPIO22")
        #expect(try !board.isHigh("GPIO22"))
        #expect(try request.values() == 1)
        try board.release("GPIO22")
        #expect(try request.values() == 0)
        request.close()
        request.close()
        #expect(throws: DeviceError.self) { try request.values() }
        #expect(try !board.isHigh("GPIO22"), "the request's resistor went with it")
    }

    @Test func edgesAreReportedInOrderAndLossIsCounted() async throws {
        let line = try board.find("GPIO22")
        let request = try board.requestInputs([line], InputSettings(consumer: "test", bufferSize: 2))
        for _ in 0..<3 {
            clock.advance(by: .milliseconds(1))
            try board.drive("GPIO22", high: true)
            clock.advance(by: .milliseconds(1))
            try board.drive("GPIO22", high: false)
        }
        #expect(request.lostEdges == 4)
        request.close()
        var edges: [EdgeEvent] = []
        for await edge in request.edges { edges.append(edge) }
        #expect(edges.map(\.isActive) == [true, false])
        #expect(edges.map { $0.time - .zero } == [.milliseconds(5), .milliseconds(6)])
    }

    @Test func debouncesOnItsClock() async throws {
        let line = try board.find("GPIO22")
        let request = try board.requestInputs([line], InputSettings(consumer: "test", debounce: .milliseconds(10)))
        for high in [true, false, true] {
            try board.drive("GPIO22", high: high)
            clock.advance(by: .milliseconds(3))
        }
        await clock.waitForSleepers()
        clock.advance(by: .milliseconds(7))
        var edges = request.edges.makeAsyncIterator()
        let edge = await edges.next()
        #expect(edge?.isActive == true)
        #expect(edge.map { $0.time - .zero } == .milliseconds(16))
        request.close()
        #expect(await edges.next() == nil)
    }

    @Test func theRecorderIsBounded() throws {
        let request = try output("GPIO17")
        for number in 0..<20000 { try request.set(number % 2 == 0 ? 1 : 0, mask: 1) }
        #expect(board.changes.count <= 16384)
        #expect(board.changes.count >= 8192)
        #expect(Int(board.droppedChanges) + board.changes.count == 20000)
    }

    @Test func changesCanBeFollowed() async throws {
        let request = try output("GPIO17")
        var changes = board.followChanges().makeAsyncIterator()
        try request.set(1, mask: 1)
        let change = await changes.next()
        #expect(change?.line.name == "GPIO17")
        #expect(change?.isHigh == true)
    }
}
