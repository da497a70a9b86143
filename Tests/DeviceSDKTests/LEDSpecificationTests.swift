import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

@Suite struct LEDSpecificationTests {
    @Test func readsEveryForm() throws {
        let red = try LEDSpecification(parsing: "name=Red,color=red,line=GPIO17")
        #expect(red == LEDSpecification(name: "Red", color: .red, line: .name("GPIO17")))
        let other = try LEDSpecification(parsing: "line=gpio4:18,active-low,color=Blue,name=Living room = left")
        #expect(other.name == "Living room = left")
        #expect(other.color == .blue)
        #expect(other.line == .offset(chip: "gpio4", offset: 18))
        #expect(other.isActiveLow)
        #expect(try LEDSpecification(parsing: "name=a,color=green,line=pin11").line == .pin(11))
    }

    @Test(arguments: [
        ("", "is not name="),
        ("name=Red", "color= is missing"),
        ("color=red,line=GPIO17", "name= is missing"),
        ("name=,color=red,line=GPIO17", "name= is missing"),
        ("name=Red,color=red", "line= is missing"),
        ("name=Red,color=pink,line=GPIO17", "is not one of red, yellow, green, blue"),
        ("name=Red,color=red,line=", "is not a line name"),
        ("name=Red,color=red,line=gpio4:x", "is not a line name"),
        ("name=Red,color=red,line=GPIO17,active-low=1", "active-low takes no value"),
        ("name=Red,color=red,line=GPIO17,bright", "\"bright\" is not"),
        ("name=Red,name=Blue,color=red,line=GPIO17", "name is given twice"),
        ("name=Red\u{1B}[31m,color=red,line=GPIO17", "control characters"),
        ("name=123456789012345678901234567890123,color=red,line=GPIO17", "longer than 32 bytes"),
    ]) func saysWhatIsWrong(_ text: String, _ reason: String) {
        let error = #expect(throws: DeviceError.self) { try LEDSpecification(parsing: text) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        #expect(error?.hint?.contains("--led name=Red,color=red,line=GPIO17") == true)
        #expect(error?.exitStatus == 64)
    }

    @Test func duplicatesAreRefused() {
        let red = "name=Red,color=red,line=GPIO17"
        let name = #expect(throws: DeviceError.self) {
            try LEDSpecification.parse([red, "name=Red,color=blue,line=GPIO27"])
        }
        #expect(name?.message.contains("already called \"Red\"") == true)
        let line = #expect(throws: DeviceError.self) {
            try LEDSpecification.parse([red, "name=Two,color=blue,line=GPIO17"])
        }
        #expect(line?.message.contains("\"Red\" is already on line GPIO17") == true)
        let many = (0...32).map { "name=\($0),color=red,line=GPIO\($0)" }
        #expect(throws: DeviceError.self) { try LEDSpecification.parse(many) }
    }

    @Test func oneLineByTwoAddressesIsRefused() throws {
        let board = SimulatedBoard(try Board.named("rpi4"))
        let leds = try LEDSpecification.parse(["name=A,color=red,line=GPIO17", "name=B,color=red,line=pin11"])
        let error = #expect(throws: DeviceError.self) { try LEDSpecification.checkLines(leds, on: board) }
        #expect(error?.message.contains("\"A\" and \"B\" are both on line GPIO17") == true)
        try LEDSpecification.checkLines(LEDSpecification.defaults, on: board)
    }

    @Test(arguments: Board.all) func defaultsWorkOnEveryBoard(_ known: Board) throws {
        let board = SimulatedBoard(known)
        let specifications = try LEDSpecification.parse([])
        #expect(specifications.map(\.name) == ["Red", "Yellow", "Green", "Blue"])
        let leds = try specifications.map { try LED($0.line, on: board, activeLow: $0.isActiveLow) }
        for (led, number) in zip(leds, [11, 13, 15, 16]) {
            try led.on()
            #expect(led.line?.pin == number)
            #expect(try board.isHigh(.pin(number)))
        }
    }
}
