import Testing

@testable import DeviceCore

@Suite struct LineAddressTests {
    @Test func readsNamesPinsAndOffsets() {
        #expect(LineAddress("GPIO17") == .name("GPIO17"))
        #expect(LineAddress("pin11") == .pin(11))
        #expect(LineAddress("PIN11") == .pin(11))
        #expect(LineAddress("pinctrl-bcm2711:17") == .offset(chip: "pinctrl-bcm2711", offset: 17))
        #expect(LineAddress("gpio-brcmstb@107d508500:3") == .offset(chip: "gpio-brcmstb@107d508500", offset: 3))
        #expect(LineAddress("a:b:3") == .offset(chip: "a:b", offset: 3))
        #expect(LineAddress("pinwheel") == .name("pinwheel"))
    }

    @Test(arguments: [
        "", " ", "GPIO 17", "gpio4:", ":5", "gpio4:-1", "gpio4:x", "gpio4:99999999999999999999", "a\u{7F}",
    ])
    func refuses(_ text: String) { #expect(LineAddress(text) == nil) }

    @Test(arguments: ["GPIO17", "pin11", "gpio4:18"])
    func printsWhatItReads(_ text: String) { #expect(LineAddress(text)?.description == text) }
}

@Suite struct LineResolverTests {
    /// A chip with the names that a list gives; nil beyond.
    static func chip(_ label: String, _ device: String, lines: Int, names: [Int: String] = [:]) -> GPIOChip {
        GPIOChip(label: label, device: device, lineNames: (0..<lines).map { names[$0] })
    }

    static func raspberryPi(names: [Int: String]) throws -> LineResolver {
        LineResolver(
            board: try Board.named("rpi4"),
            chips: [
                chip("pinctrl-bcm2711", "gpiochip0", lines: 58, names: names),
                chip("raspberrypi-exp-gpio", "gpiochip1", lines: 8, names: [0: "BT_ON"]),
            ])
    }

    static func error(_ resolver: LineResolver, _ address: LineAddress) -> DeviceError? {
        #expect(throws: DeviceError.self) { try resolver.find(address) }
    }

    @Test func findsAHeaderPinByTheNameOfItsLine() throws {
        // The name counts, wherever this kernel has put the line.
        let resolver = LineResolver(
            board: try Board.named("rpi4"),
            chips: [Self.chip("some-other-label", "gpiochip3", lines: 20, names: [9: "GPIO17"])])
        let line = try resolver.find(.pin(11))
        #expect(line.device == "gpiochip3")
        #expect(line.offset == 9)
        #expect(line.pin == 11)
    }

    @Test func findsAHeaderPinByLabelWhereTheKernelNamesLinesByFunction() throws {
        let resolver = try Self.raspberryPi(names: [2: "SDA1", 17: "GPIO17"])
        #expect(try resolver.find(.pin(3)).offset == 2)
        #expect(try resolver.find("GPIO2").name == "SDA1")
        #expect(try resolver.find("SDA1").pin == 3)
        #expect(try resolver.find("GPIO17").description == "GPIO17 (pin 11, pinctrl-bcm2711:17)")
    }

    @Test func findsROCKLinesByPinLabelAndDocumentedName() throws {
        let board = try Board.named("rockpi4b")
        let chips = (0..<5).map { Self.chip("gpio\($0)", "gpiochip\($0)", lines: 32) }
        let resolver = LineResolver(board: board, chips: chips)
        for address: LineAddress in ["pin11", "GPIO4_C2", "gpio4_c2", "gpio4:18"] {
            let line = try resolver.find(address)
            #expect(line.chip == "gpio4")
            #expect(line.offset == 18)
            #expect(line.pin == 11)
            #expect(line.description == "gpio4:18 (pin 11)")
        }
    }

    @Test func aPinThatIsNoGPIOSaysWhatItIs() throws {
        let resolver = try Self.raspberryPi(names: [:])
        let ground = Self.error(resolver, "pin6")
        #expect(ground?.code == .invalidArgument)
        #expect(ground?.message == "pin 6 of Raspberry Pi 4 Model B is ground (GND), not a GPIO")
        #expect(ground?.hint == "GPIO pins near it: 5 (GPIO3), 7 (GPIO4), 8 (GPIO14)")
        #expect(Self.error(resolver, "pin1")?.message.contains("a supply (3V3)") == true)
        #expect(Self.error(resolver, "pin41")?.hint == "Its pins are 1 to 40")
        let rock = LineResolver(board: try Board.named("rockpi4b"), chips: resolver.chips)
        #expect(Self.error(rock, "pin26")?.message.contains("an analogue input (ADC_IN0)") == true)
    }

    @Test func anUnknownNameSuggestsCloseOnes() throws {
        let resolver = try Self.raspberryPi(names: [17: "GPIO17", 18: "GPIO18"])
        let error = Self.error(resolver, "GPOI17")
        #expect(error?.code == .notFound)
        #expect(error?.message == "no GPIO line is called \"GPOI17\"")
        #expect(error?.hint?.contains("GPIO17") == true)
        #expect(Self.error(resolver, "completely-else")?.hint?.contains("label:offset") == true)
    }

    @Test func chipNumbersAreRefusedWithTheLabels() throws {
        let resolver = try Self.raspberryPi(names: [:])
        let error = Self.error(resolver, "gpiochip0:17")
        #expect(error?.code == .notFound)
        #expect(error?.hint?.contains("Chip numbers change between kernels") == true)
        #expect(error?.hint?.contains("pinctrl-bcm2711") == true)
        #expect(Self.error(resolver, "pinctrl-bcm2711:58")?.hint == "Its lines are 0 to 57")
    }

    @Test func namesThatSeveralLinesHaveAreAskedFor() throws {
        // As on a Raspberry Pi 5, where unused lines are "-" and 2712_WAKE is there twice.
        let resolver = LineResolver(
            board: try Board.named("rpi5"),
            chips: [
                Self.chip("pinctrl-rp1", "gpiochip0", lines: 54, names: [17: "GPIO17", 50: "-"]),
                Self.chip("gpio-a", "gpiochip10", lines: 4, names: [0: "-", 1: "2712_WAKE", 2: "GPIO17"]),
                Self.chip("gpio-b", "gpiochip11", lines: 4, names: [0: "-", 1: "2712_WAKE"]),
                Self.chip("gpio-b", "gpiochip12", lines: 4),
            ])
        #expect(Self.error(resolver, "2712_WAKE")?.hint == "Say which: gpio-a:1, gpio-b:1")
        #expect(Self.error(resolver, "-")?.code == .notFound)
        #expect(try resolver.find("GPIO17").chip == "pinctrl-rp1")
        #expect(Self.error(resolver, "gpio-b:1")?.code == .invalidArgument)
    }

    @Test func machinesWithoutPinsOrChipsSaySo() throws {
        let chips = [Self.chip("a", "gpiochip0", lines: 2)]
        let unknown = LineResolver(board: .unknown(model: "PC"), chips: chips)
        #expect(Self.error(unknown, "pin11")?.message.contains("(PC)") == true)
        #expect(try unknown.find("a:1").offset == 1)
        #expect(Self.error(LineResolver(board: try Board.named("rpi4"), chips: []), "pin11")?.code == .notFound)
    }

    @Test func aBusyLineNamesItsOwnerAndAWayOut() throws {
        let board = try Board.named("rpi4")
        let resolver = try Self.raspberryPi(names: [8: "GPIO8"])
        let spi = GPIOError.busy(try resolver.find("GPIO8"), owner: "spi0 CS0", board: board)
        #expect(spi.code == .busy)
        #expect(spi.message == "line GPIO8 (pin 24, pinctrl-bcm2711:8) is in use by \"spi0 CS0\"")
        #expect(spi.hint?.contains("dtparam=spi=off") == true)
        let led = GPIOError.busy(try resolver.find("pinctrl-bcm2711:42"), owner: "ACT", board: board)
        #expect(led.hint?.contains("OnboardLED") == true)
        #expect(GPIOError.permission("/dev/gpiochip0").hint?.contains("usermod -aG gpio $USER") == true)
    }
}
