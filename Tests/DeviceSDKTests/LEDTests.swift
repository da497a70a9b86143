import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

extension OnLines {
    /// What an LED does on every backend.
    @Suite struct LEDTests {
        @Test(arguments: Rig.available) func switches(_ rig: Rig) throws {
            let world = try rig.make()
            let led = try LED("pin11", on: world.backend)
            #expect(try !world.isHigh("pin11"))
            #expect(!led.isLit)
            try led.on()
            #expect(try world.isHigh("pin11"))
            #expect(led.isLit)
            #expect(try !led.toggle())
            #expect(try !world.isHigh("pin11"))
            #expect(try led.toggle())
            try led.off()
            #expect(try !world.isHigh("pin11"))
            #expect(led.line?.pin == 11)
        }

        @Test(arguments: Rig.available) func activeLowAndInitiallyLit(_ rig: Rig) throws {
            let world = try rig.make()
            let led = try LED("pin11", on: world.backend, activeLow: true, initially: true)
            #expect(try !world.isHigh("pin11"))
            #expect(led.isLit)
            try led.off()
            #expect(try world.isHigh("pin11"))
            #expect(try world.backend.info(at: "pin11").isActiveLow)
        }

        @Test(arguments: Rig.available) func theOwnerIsSeenAndTheLineIsGivenBack(_ rig: Rig) throws {
            let world = try rig.make()
            do {
                let led = try LED("pin11", on: world.backend, initially: true, consumer: "first owner")
                let info = try world.backend.info(at: "pin11")
                #expect(info.consumer == "first owner")
                #expect(info.isUsed && info.isOutput)
                let error = #expect(throws: DeviceError.self) { try LED("pin11", on: world.backend) }
                #expect(error?.code == .busy)
                #expect(error?.message.contains("in use by \"first owner\"") == true)
                #expect(try world.isHigh("pin11"), "whoever is refused changes nothing")
                try led.on()
            }
            #expect(try !world.backend.info(at: "pin11").isUsed, "given back with the last reference")
            let next = try LED("pin11", on: world.backend)
            next.close()
            next.close()
            let closed = #expect(throws: DeviceError.self) { try next.on() }
            #expect(closed?.code == .closed)
            #expect(try !world.backend.info(at: "pin11").isUsed)
        }

        @Test(arguments: Rig.available, ReleasePolicy.allCases)
        func releasePolicies(_ rig: Rig, _ policy: ReleasePolicy) throws {
            let world = try rig.make()
            // An input before, whatever the test before left behind.
            try LED("pin13", on: world.backend).close(.input)
            #expect(try !world.backend.info(at: "pin13").isOutput)
            let led = try LED("pin13", on: world.backend, release: policy)
            try led.on()
            led.close()
            let info = try world.backend.info(at: "pin13")
            #expect(!info.isUsed)
            #expect(info.isOutput == (policy == .off || policy == .leave))
        }

        @Test(arguments: Rig.available) func blinksUntilTheNextCommand(_ rig: Rig) async throws {
            let world = try rig.make()
            let led = try LED("pin11", on: world.backend)
            try led.blink(on: .milliseconds(30), off: .milliseconds(30))
            #expect(led.isBusy)
            for _ in 0..<3 {
                #expect(try await eventually { try world.isHigh("pin11") })
                #expect(try await eventually { try !world.isHigh("pin11") })
            }
            try led.on()
            #expect(!led.isBusy)
            for _ in 0..<10 {
                #expect(try world.isHigh("pin11"))
                try await Task.sleep(for: .milliseconds(10))
            }
        }

        @Test(arguments: Rig.available) func manyThreadsMaySwitch(_ rig: Rig) async throws {
            let world = try rig.make()
            let led = try LED("pin11", on: world.backend)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<8 {
                    group.addTask {
                        for _ in 0..<200 {
                            if number == 7 {
                                try? led.blink(on: .milliseconds(1), off: .milliseconds(1))
                            } else {
                                _ = try? led.toggle()
                            }
                        }
                    }
                }
            }
            try led.on()
            #expect(try world.isHigh("pin11"))
            led.close()
        }

        @Test(arguments: Rig.available) func groupsAreSetAtOnceAndOneLineLeavesTheOthers(_ rig: Rig) throws {
            let world = try rig.make()
            let addresses: [LineAddress] = ["pin11", "pin13", "pin15", "pin16"]
            let group = try LEDGroup(addresses, on: world.backend, activeLow: 0b1000, values: 0b0101)
            func levels() throws -> [Bool] { try addresses.map { try world.isHigh($0) } }
            #expect(try levels() == [true, false, true, true])
            try group.set(0b1111)
            #expect(try levels() == [true, true, true, false])
            try group.set(0, mask: 0b0010)
            #expect(try levels() == [true, false, true, false], "libgpiod 1 would clear the others")
            #expect(group.values == 0b1101)
            try group.toggle()
            #expect(group.values & 0b1111 == 0b0010)
            try group.on()
            try group.off()
            #expect(try levels() == [false, false, false, true])
            group.close(.input)
            #expect(try !world.backend.info(at: "pin11").isUsed)
            #expect(try !world.backend.info(at: "pin16").isOutput)
            #expect(throws: DeviceError.self) { try group.on() }
        }

        @Test(arguments: Rig.available) func aGroupIsTakenWholeOrNotAtAll(_ rig: Rig) throws {
            let world = try rig.make()
            let owner = try LED("pin15", on: world.backend, consumer: "owner")
            let error = #expect(throws: DeviceError.self) {
                try LEDGroup(["pin11", "pin13", "pin15"], on: world.backend)
            }
            #expect(error?.code == .busy)
            #expect(error?.message.contains("owner") == true)
            #expect(try !world.backend.info(at: "pin11").isUsed)
            #expect(throws: DeviceError.self) { try LEDGroup([], on: world.backend) }
            #expect(throws: DeviceError.self) { try LEDGroup(["pin11", "pin11"], on: world.backend) }
            owner.close()
        }

        @Test func groupsSpanChips() throws {
            let world = SimulatedBoard(try Board.named("rockpi4b"))
            // gpio4, gpio2, gpio4, gpio3
            let addresses: [LineAddress] = ["pin11", "pin3", "pin13", "pin32"]
            let group = try LEDGroup(addresses, on: world, values: 0b0010)
            #expect(group.values == 0b0010)
            try group.set(0b1001, mask: 0b1011)
            #expect(try addresses.map { try world.isHigh($0) } == [true, false, false, true])
            #expect(group.values == 0b1001)
        }
    }
}
