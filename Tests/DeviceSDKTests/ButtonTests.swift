import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

extension OnLines {
    /// What a button does on every backend, in real time.
    @Suite struct ButtonTests {
        @Test(arguments: Rig.available, [Duration.zero, .milliseconds(5)])
        func reportsPressesAndReleases(_ rig: Rig, _ debounce: Duration) async throws {
            let world = try rig.make()
            let button = try Button("pin15", on: world.backend, debounce: debounce, holdTime: .seconds(3600))
            var events = button.events().makeAsyncIterator()
            #expect(!button.isPressed)
            for _ in 0..<3 {
                try world.press("pin15")
                let pressed = await events.next()
                #expect(pressed?.kind == .pressed)
                #expect(button.isPressed)
                try await Task.sleep(for: Rig.gap)
                try world.release("pin15")
                let released = await events.next()
                #expect(released?.kind == .released)
                if let pressed, let released { #expect(pressed.time < released.time) }
                try await Task.sleep(for: Rig.gap)
            }
            #expect(!button.isPressed)
            #expect(button.lostEvents == 0)
            button.close()
            #expect(await events.next() == nil)
            #expect(try !world.backend.info(at: "pin15").isUsed)
        }

        @Test(arguments: Rig.available) func reportsHolding(_ rig: Rig) async throws {
            let world = try rig.make()
            let button = try Button("pin15", on: world.backend, debounce: .zero, holdTime: .seconds(2))
            var holds = button.holds().makeAsyncIterator()
            // Too short to count.
            try world.press("pin15")
            try await Task.sleep(for: Rig.gap)
            try world.release("pin15")
            #expect(await button.waitForRelease())
            #expect(!button.isHeld)
            try await Task.sleep(for: Rig.gap)
            try world.press("pin15")
            #expect(await holds.next()?.kind == .held)
            #expect(button.isHeld && button.isPressed)
            try world.release("pin15")
            #expect(await button.waitForRelease())
            #expect(!button.isHeld)
            button.close()
        }

        @Test(arguments: Rig.available) func aButtonToTheSupply(_ rig: Rig) async throws {
            let world = try rig.make()
            let button = try Button("pin15", on: world.backend, pull: .pullDown, debounce: .zero)
            #expect(try !world.isHigh("pin15"))
            var presses = button.presses().makeAsyncIterator()
            try world.press("pin15")
            #expect(await presses.next()?.kind == .pressed)
            #expect(try world.isHigh("pin15"))
            try await Task.sleep(for: Rig.gap)
            try world.release("pin15")
            #expect(await button.waitForRelease())
            button.close()
        }

        @Test(arguments: Rig.available) func aBouncingContactIsOnePress(_ rig: Rig) async throws {
            let world = try rig.make()
            let button = try Button("pin15", on: world.backend, debounce: .seconds(1), holdTime: .seconds(3600))
            var events = button.events().makeAsyncIterator()
            for _ in 0..<2 {
                try world.press("pin15")
                try await Task.sleep(for: Rig.gap)
                try world.release("pin15")
                try await Task.sleep(for: Rig.gap)
            }
            try world.press("pin15")
            #expect(await events.next()?.kind == .pressed)
            // Right after the press was reported: not to be swallowed as bouncing.
            try world.release("pin15")
            #expect(await events.next()?.kind == .released)
            button.close()
            #expect(await events.next() == nil)
        }

        @Test(arguments: Rig.available) func switchesAnLED(_ rig: Rig) async throws {
            let world = try rig.make()
            let led = try LED("pin11", on: world.backend)
            let button = try Button("pin15", on: world.backend, debounce: .zero)
            let presses = button.presses()
            let program = Task { for await _ in presses { try led.toggle() } }
            try world.press("pin15")
            #expect(try await eventually { try world.isHigh("pin11") })
            try await Task.sleep(for: Rig.gap)
            try world.release("pin15")
            try await Task.sleep(for: Rig.gap)
            try world.press("pin15")
            #expect(try await eventually { try !world.isHigh("pin11") })
            try await Task.sleep(for: Rig.gap)
            try world.release("pin15")
            button.close()
            try await program.value
        }

        @Test(arguments: Rig.available) func aForgottenButtonGivesItsLineBack(_ rig: Rig) async throws {
            let world = try rig.make()
            do { _ = try Button("pin15", on: world.backend) }
            #expect(try !world.backend.info(at: "pin15").isUsed)
            let error = try #require(
                #expect(throws: DeviceError.self) {
                    let owner = try LED("pin15", on: world.backend, consumer: "someone")
                    defer { owner.close(.input) }
                    _ = try Button("pin15", on: world.backend)
                })
            #expect(error.code == .busy)
            #expect(error.message.contains("someone"))
        }
    }
}
