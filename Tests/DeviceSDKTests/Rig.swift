import DeviceCore
import DeviceSDK
import DeviceSimulator
import Foundation
import Testing

/// Where a test's lines are: on a simulated board, or on a chip of the kernel whose other side can be driven.
///
/// The kernel's chips are gpio-sim's, inside the guest that script/test-kernel-gpio starts.
enum Rig: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case simulator
    case kernel

    /// The board of the guest, such as `rpi4`, or nil on an ordinary machine.
    static let kernelBoard = ProcessInfo.processInfo.environment["DEVICESDK_KERNEL_BOARD"]
    /// Whether this run is the one of a user who may not open the chips.
    static let isDenied = ProcessInfo.processInfo.environment["DEVICESDK_KERNEL_DENIED"] != nil
    static var hasKernel: Bool { kernelBoard != nil && !isDenied && LibgpiodBackend.isAvailable() }
    static let needsKernel: Comment = "needs a simulated GPIO chip of the kernel: run script/test-kernel-gpio"

    static var available: [Rig] { hasKernel ? [.simulator, .kernel] : [.simulator] }

    var testDescription: String { rawValue }

    /// Lines of this rig, free and at rest.
    func make() throws -> any World {
        switch self {
        case .simulator: return SimulatedBoard(try Board.named("rpi4"))
        case .kernel: return try KernelWorld()
        }
    }

    /// Longer than the 100 Hz tick at which the guest sees edges; edges closer than that merge.
    static let gap = Duration.milliseconds(30)
}

/// The suites that use a kernel chip's lines, one test after the other: a line has one owner at a time.
@Suite(.serialized, .timeLimit(.minutes(5))) struct OnLines {}

/// A backend together with the world on the other side of its pins.
protocol World: Sendable {
    var backend: any GPIOBackend { get }
    func isHigh(_ address: LineAddress) throws(DeviceError) -> Bool
    func press(_ address: LineAddress) throws(DeviceError)
    func release(_ address: LineAddress) throws(DeviceError)
}

extension SimulatedBoard: World {
    var backend: any GPIOBackend { self }
}

/// The guest's chips, with sysfs as the world outside (as the guest's `gpiosim` does it).
struct KernelWorld: World {
    let gpiod: LibgpiodBackend
    var backend: any GPIOBackend { gpiod }

    init() throws { gpiod = try LibgpiodBackend() }

    func isHigh(_ address: LineAddress) throws(DeviceError) -> Bool { try text(address, "value") == "1" }
    func press(_ address: LineAddress) throws(DeviceError) { try flip(address) }
    func release(_ address: LineAddress) throws(DeviceError) { try flip(address) }

    func pull(_ address: LineAddress, up: Bool) throws(DeviceError) {
        try write(up ? "pull-up" : "pull-down", path(address, "pull"))
    }

    private func flip(_ address: LineAddress) throws(DeviceError) {
        try pull(address, up: text(address, "pull") == "pull-down")
    }

    private func path(_ address: LineAddress, _ file: String) throws(DeviceError) -> String {
        let line = try gpiod.find(address)
        return "/sys/bus/gpio/devices/\(line.device)/sim_gpio\(line.offset)/\(file)"
    }

    private func text(_ address: LineAddress, _ file: String) throws(DeviceError) -> String {
        let path = try path(address, file)
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw DeviceError(.io, "cannot read \(path)")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private func write(_ text: String, _ path: String) throws(DeviceError) {
        guard let file = FileHandle(forWritingAtPath: path) else { throw DeviceError(.io, "cannot write \(path)") }
        do {
            try file.write(contentsOf: Data(text.utf8))
            try file.close()
        } catch {
            throw DeviceError(.io, "cannot write \(path)", cause: error)
        }
    }
}

/// Runs the guest's `gpiosim`, the kernel's side of its lines, and returns what it prints.
func gpiosim(_ arguments: String...) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["gpiosim"] + arguments
    process.standardOutput = output
    try process.run()
    process.waitUntilExit()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
}

/// Waits until a condition holds, at most some seconds; for what a real clock decides.
func eventually(_ condition: () throws -> Bool) async throws -> Bool {
    for _ in 0..<1000 {
        if try condition() { return true }
        try await Task.sleep(for: .milliseconds(5))
    }
    return try condition()
}
