import Foundation
import Testing

@testable import DeviceCore

@Suite struct BoardTests {
    @Test func everyBoardHasFortyPinsAndKnowsItsChips() {
        #expect(Board.all.count == 12)
        for board in Board.all {
            #expect(board.header.map(\.number) == Array(1...40), "\(board.name)")
            #expect(!board.leds.isEmpty, "\(board.name)")
            for pin in board.header where pin.isGPIO {
                #expect(pin.chip.map { board.chips.contains($0) } == true, "\(board.name) pin \(pin.number)")
                #expect(pin.offset != nil, "\(board.name) pin \(pin.number)")
            }
        }
    }

    @Test func defaultLEDPinsAreGPIOsOnEveryBoard() {
        for board in Board.all {
            for number in [11, 13, 15, 16] {
                #expect(board.pin(number)?.isGPIO == true, "\(board.name) pin \(number)")
            }
        }
    }

    @Test func knowsTheRaspberryPi4() throws {
        let board = try Board.named("RPI4")
        #expect(board.model == "Raspberry Pi 4 Model B")
        #expect(board.compatible == ["raspberrypi,4-model-b", "brcm,bcm2711"])
        let pin = try #require(board.pin(11))
        #expect(pin.signal == "GPIO17")
        #expect(pin.chip == "pinctrl-bcm2711")
        #expect(pin.offset == 17)
        #expect(pin.lineName == "GPIO17")
        #expect(pin.defaultPull == .pullDown)
        #expect(pin.volts == "3V3")
        #expect(board.pin(6)?.kind == .ground)
        #expect(board.pin(chip: "pinctrl-bcm2711", offset: 17) == pin)
        #expect(board.pin(named: "gpio17") == pin)
        #expect(board.pin(41) == nil)
        #expect(
            board.leds.last
                == Board.LED(entry: "PWR=raspberrypi-exp-gpio:2:1:default-on"))
        #expect(board.leds.last?.isActiveLow == true)
    }

    @Test func knowsTheROCKPi4() throws {
        let board = try Board.named("rockpi4b")
        #expect(board.pin(11)?.signal == "GPIO4_C2")
        #expect(board.pin(11)?.chip == "gpio4")
        #expect(board.pin(11)?.offset == 18)
        #expect(board.pin(11)?.lineName == nil)
        #expect(board.pin(11)?.volts == "3V0")
        #expect(board.pin(26)?.kind == .adc)
        #expect(board.leds.first?.name == "blue:status")
        #expect(board.leds.first?.offset == 29)
    }

    @Test func isFoundByItsFirstCompatibleEntryOnly() {
        #expect(Board.matching(compatible: ["raspberrypi,5-model-b", "brcm,bcm2712"])?.name == "rpi5")
        #expect(Board.matching(compatible: ["radxa,rockpi4c", "radxa,rockpi4", "rockchip,rk3399"])?.name == "rockpi4c")
        #expect(Board.matching(compatible: ["pine64,rockpro64", "rockchip,rk3399"]) == nil)
        #expect(Board.matching(compatible: []) == nil)
    }

    @Test func unknownNameListsTheBoards() {
        let error = #expect(throws: DeviceError.self) { try Board.named("rpi9") }
        #expect(error?.code == .notFound)
        #expect(error?.hint?.contains("rpi4, ") == true)
    }

    @Test func embeddedTablesAreInStepWithHardwareBoards() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let directory = root.appending(path: "Hardware/boards")
        var names: Set<String> = []
        for file in try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil) {
            let name = file.deletingPathExtension().lastPathComponent
            let text = try String(contentsOf: file, encoding: .utf8)
            let embedded = name == "boards" ? BoardTables.boards : BoardTables.headers[name]
            let isSame = embedded.map { $0 + "\n" } == text
            #expect(isSame, "run script/embed-boards: \(name).csv changed")
            names.insert(name)
        }
        #expect(names == Set(BoardTables.headers.keys).union(["boards"]), "run script/embed-boards")
    }

    @Test func malformedRowsAreLeftOut() {
        #expect(CSV.rows("a,b\n1,2\n3\n\"4,5\",6\n") == [["1", "2"], ["4,5", "6"]])
        #expect(CSV.rows("").isEmpty)
        #expect(HeaderPin(row: ["x", "one", "gpio", "", "", "", "", "", "", "", ""]) == nil)
        #expect(HeaderPin(row: []) == nil)
        #expect(Board(row: ["only one"]) == nil)
        #expect(Board.LED(entry: "ACT=chip:x:0:none") == nil)
        #expect(Board.LED(entry: "nothing") == nil)
    }
}
