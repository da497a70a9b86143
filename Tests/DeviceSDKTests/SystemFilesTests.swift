import DeviceCore
import DeviceSDK
import Foundation
import Testing

/// A directory that looks like a part of /proc or /sys, removed at the end of its test.
final class FakeTree {
    let path: String

    init(_ files: [String: String]) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "devicesdk-\(UUID().uuidString)").path
        for (name, text) in files {
            let file = "\(path)/\(name)"
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(filePath: file))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func text(_ name: String) -> String? { try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8) }
}

@Suite struct DetectedBoardTests {
    @Test func matchesOnCompatibleAndShowsTheModel() throws {
        let tree = try FakeTree([
            "model": "Raspberry Pi 4 Model B Rev 1.4\0", "compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
        ])
        let detected = DetectedBoard(deviceTree: tree.path)
        #expect(detected.model == "Raspberry Pi 4 Model B Rev 1.4")
        #expect(detected.compatible == ["raspberrypi,4-model-b", "brcm,bcm2711"])
        #expect(detected.known?.name == "rpi4")
    }

    @Test func unknownAndMissingTreesGiveABoardWithoutPins() throws {
        let tree = try FakeTree(["model": "Pine64 RockPro64\0", "compatible": "pine64,rockpro64\0rockchip,rk3399\0"])
        let detected = DetectedBoard(deviceTree: tree.path)
        #expect(detected.known == nil)
        #expect(detected.board.model == "Pine64 RockPro64")
        #expect(detected.board.header.isEmpty)
        let none = DetectedBoard(deviceTree: tree.path + "/absent")
        #expect(none.model.isEmpty && none.compatible.isEmpty)
        #expect(none.board.model == "unknown machine")
    }
}

@Suite struct CPUTemperatureTests {
    @Test func readsTenthsFromTheProcessorsZone() throws {
        let tree = try FakeTree([
            "thermal_zone0/type": "battery\n", "thermal_zone0/temp": "21000\n",
            "thermal_zone1/type": "cpu-thermal\n", "thermal_zone1/temp": "48534\n", "cooling_device0/type": "fan\n",
        ])
        #expect(try CPUTemperature(directory: tree.path).tenths() == 485)
    }

    @Test(arguments: [("48550", 486), ("-50", -1), ("0", 0), ("-12349", -123)])
    func rounds(_ text: String, _ tenths: Int) throws {
        let tree = try FakeTree(["thermal_zone0/type": "soc_thermal\n", "thermal_zone0/temp": text])
        #expect(try CPUTemperature(directory: tree.path).tenths() == tenths)
    }

    @Test func missingOrBrokenZonesAreErrors() throws {
        let error = #expect(throws: DeviceError.self) { try CPUTemperature(directory: "/nonexistent") }
        #expect(error?.code == .notFound)
        for text in ["", "warm", "99999999999999999999"] {
            let tree = try FakeTree(["thermal_zone0/type": "cpu\n", "thermal_zone0/temp": text])
            let reader = try CPUTemperature(directory: tree.path)
            #expect(throws: DeviceError.self) { try reader.tenths() }
        }
    }
}

@Suite struct OnboardLEDTests {
    private func tree(trigger: String = "none [mmc0] heartbeat\n", brightness: String = "0") throws -> FakeTree {
        try FakeTree([
            "ACT/trigger": trigger, "ACT/brightness": brightness, "ACT/max_brightness": "255\n",
        ])
    }

    @Test func switchesAndRestoresTheTrigger() throws {
        let tree = try tree()
        let led = try OnboardLED("ACT", directory: tree.path)
        #expect(tree.text("ACT/trigger") == "none")
        #expect(tree.text("ACT/brightness") == "0")
        try led.on()
        #expect(tree.text("ACT/brightness") == "255")
        #expect(led.isLit)
        #expect(try !led.toggle())
        try led.off()
        #expect(tree.text("ACT/brightness") == "0")
        led.close()
        #expect(tree.text("ACT/trigger") == "mmc0")
        let error = #expect(throws: DeviceError.self) { try led.on() }
        #expect(error?.code == .closed)
    }

    @Test func isGivenBackWithItsLastReferenceAndKeepsABrightnessWithoutTrigger() throws {
        let tree = try tree(trigger: "[none] mmc0", brightness: "7")
        do { try OnboardLED("ACT", directory: tree.path).on() }
        #expect(tree.text("ACT/trigger") == "none")
        #expect(tree.text("ACT/brightness") == "7")
    }

    @Test func unknownNamesListTheOthers() throws {
        let tree = try tree()
        let error = #expect(throws: DeviceError.self) { try OnboardLED("PWR", directory: tree.path) }
        #expect(error?.code == .notFound)
        #expect(error?.hint == "LEDs here: ACT")
        let none = #expect(throws: DeviceError.self) { try OnboardLED("ACT", directory: "/nonexistent") }
        #expect(none?.code == .notFound)
        #expect(OnboardLED.names(directory: tree.path) == ["ACT"])
        #expect(throws: DeviceError.self) { try OnboardLED("../ACT", directory: tree.path) }
    }

    @Test(.enabled(if: getuid() != 0, "root may write everything"))
    func missingPermissionIsExplained() throws {
        let tree = try tree()
        try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: tree.path + "/ACT/trigger")
        let error = #expect(throws: DeviceError.self) { try OnboardLED("ACT", directory: tree.path) }
        #expect(error?.code == .permission)
        #expect(error?.hint?.contains("udev rule") == true)
    }
}
