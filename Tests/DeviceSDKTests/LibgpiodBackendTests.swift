import DeviceCore
import DeviceSDK
import Testing

extension OnLines {
    /// libgpiod on this machine, and on the chips of the kernel guest.
    @Suite struct LibgpiodBackendTests {
        @Test func aMachineWithoutChipsSaysSo() throws {
            let tree = try FakeTree(["gpiochip0": "an ordinary file", "gpiochipX": "", "null": ""])
            #expect(!LibgpiodBackend.isAvailable(directory: tree.path))
            #expect(!LibgpiodBackend.isAvailable(directory: "/nonexistent"))
            let error = #expect(throws: DeviceError.self) { try LibgpiodBackend(directory: tree.path) }
            #expect(error?.code == .notFound)
            #expect(error?.hint?.contains("simulated board") == true)
            #expect(LibgpiodBackend.version.contains("."))
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func findsTheBoardAndItsLines() throws {
            let gpio = try LibgpiodBackend()
            print("kernel board \(gpio.board.name), \(gpio.name)")
            #expect(gpio.board.name == Rig.kernelBoard)
            #expect(Set(gpio.board.chips).subtracting(try gpio.chips().map(\.label)).isEmpty)
            for pin in gpio.board.header where pin.isGPIO {
                let line = try gpio.find(.pin(pin.number))
                #expect(line.chip == pin.chip && line.offset == pin.offset, "pin \(pin.number)")
                #expect(try gpio.find(.name(pin.signal)).offset == pin.offset)
            }
            let error = #expect(throws: DeviceError.self) { try gpio.find("pin6") }
            #expect(error?.code == .invalidArgument)
            #expect(throws: DeviceError.self) { try gpio.find("gpiochip0:1") }
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func anOnboardLEDsLineIsBusyAndSaysWhy() throws {
            let gpio = try LibgpiodBackend()
            let onboard = try #require(gpio.board.leds.first)
            let address = LineAddress.offset(chip: onboard.chip, offset: onboard.offset)
            let error = #expect(throws: DeviceError.self) { try LED(address, on: gpio) }
            #expect(error?.code == .busy)
            #expect(error?.message.contains("in use by") == true)
            #expect(error?.hint?.contains("OnboardLED") == true)
            print("busy: \(error?.description ?? "")")
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func gpiosimSeesTheLEDAndItsPressIsSeen() async throws {
            let gpio = try LibgpiodBackend()
            let led = try LED("pin11", on: gpio)
            let line = try #require(led.line)
            let name = line.name ?? "\(line.chip):\(line.offset)"
            try led.on()
            #expect(try gpiosim("value", name) == "1")
            try led.off()
            #expect(try gpiosim("value", name) == "0")
            let button = try Button("pin15", on: gpio)
            var events = button.events().makeAsyncIterator()
            let input = try #require(button.line)
            _ = try gpiosim("press", input.name ?? "\(input.chip):\(input.offset)", "60")
            #expect(await events.next()?.kind == .pressed)
            #expect(await events.next()?.kind == .released)
            button.close()
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func switchesAnOnboardLED() throws {
            let world = try KernelWorld()
            let onboard = try #require(world.gpiod.board.leds.first)
            let address = LineAddress.offset(chip: onboard.chip, offset: onboard.offset)
            let led = try OnboardLED(onboard.name)
            try led.on()
            #expect(try world.isHigh(address) != onboard.isActiveLow)
            try led.off()
            #expect(try world.isHigh(address) == onboard.isActiveLow)
            led.close()
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func initialGivesAnOutputItsLevelBack() throws {
            let world = try KernelWorld()
            try LED("pin11", on: world.backend, release: .input).close()
            try LED("pin13", on: world.backend, initially: true, release: .leave).close()
            try LED("pin13", on: world.backend, release: .initial).close()
            #expect(try world.backend.info(at: "pin13").isOutput)
            // Outputs and inputs mixed in one group.
            let group = try LEDGroup(["pin11", "pin13"], on: world.backend, values: 0b11, release: .initial)
            #expect(try world.backend.info(at: "pin11").isOutput)
            group.close()
            #expect(try !world.backend.info(at: "pin11").isOutput)
            #expect(try world.backend.info(at: "pin13").isOutput)
            #expect(try !world.backend.info(at: "pin11").isUsed)
            // Asked for too late.
            try LED("pin13", on: world.backend).close(.initial)
            #expect(try !world.backend.info(at: "pin13").isOutput)
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func aStalledReaderLosesOldEdgesAndTheyAreCounted()
            async throws
        {
            let world = try KernelWorld()
            let line = try world.backend.find("pin15")
            let request = try world.backend.requestInputs(
                [line], InputSettings(consumer: "test", bias: .pullDown, bufferSize: 4))
            for _ in 0..<5 {
                try world.pull("pin15", up: true)
                try await Task.sleep(for: Rig.gap)
                try world.pull("pin15", up: false)
                try await Task.sleep(for: Rig.gap)
            }
            #expect(request.lostEdges == 6)
            request.close()
            var edges: [Bool] = []
            for await edge in request.edges { edges.append(edge.isActive) }
            #expect(edges == [true, false, true, false])
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func severalInputsAreOneSource() async throws {
            let world = try KernelWorld()
            let lines = try ["pin11", "pin13", "pin15"].map { try world.backend.find(LineAddress(stringLiteral: $0)) }
            let request = try world.backend.requestInputs(
                lines, InputSettings(consumer: "test", activeLow: 0b010, bias: .pullDown))
            #expect(try request.values() == 0b010)
            var edges = request.edges.makeAsyncIterator()
            for (index, pin) in ["pin11", "pin13", "pin15"].enumerated() {
                try world.pull(LineAddress(stringLiteral: pin), up: true)
                let edge = await edges.next()
                #expect(edge?.index == index)
                #expect(edge?.isActive == (index != 1))
                try await Task.sleep(for: Rig.gap)
            }
            #expect(try request.values() == 0b101)
            request.close()
            for pin in ["pin11", "pin13", "pin15"] { try world.pull(LineAddress(stringLiteral: pin), up: false) }
        }

        @Test(.enabled(if: Rig.isDenied, "needs a user without the group gpio: run script/test-kernel-gpio"))
        func missingPermissionIsExplained() throws {
            #expect(LibgpiodBackend.isAvailable())
            let error = #expect(throws: DeviceError.self) { try LibgpiodBackend() }
            #expect(error?.code == .permission)
            #expect(error?.exitStatus == 77)
            #expect(error?.hint?.contains("sudo usermod -aG gpio $USER") == true)
            print("denied: \(error?.description ?? "")")
        }
    }
}
