import DeviceCore
import TestSupport
import Testing

/// Hours of a gateway's downlinks with a thousand devices: `LoRaWorldProgram --hours`.
@Suite(.timeLimit(.minutes(10))) struct LongRunTests {
    @Test func theCounterWrapsDutyCyclesAreReachedAndMemoryStaysFlat() async throws {
        let program = try ChildProgram([
            try ChildProcess.path(beside: "LoRaWorldProgram"), "--hours", "5", "1000",
        ])
        try await eventually("its end", within: .seconds(540)) { program.output.contains("\"countsRight\"") }
        let lines = program.output.split(separator: "\n").compactMap {
            try? JSONValue(parsing: $0, options: .message)
        }
        let last = try #require(lines.last)
        #expect(last["wraps"] == 5, "\(last)")
        for key in ["timesRight", "allSent", "countsRight", "dutyCycleReached"] {
            #expect(last[key] == true, "\(key): \(program.output)")
        }
        let growth = try #require(last["growth since hour 2, kB"]?.integerValue)
        #expect(growth < 8_000, "\(program.output)")
        // What is remembered does not grow with time either.
        let largest = try #require(lines.dropLast().last?["largest"])
        #expect((largest["events"]?.integerValue ?? .max) < 5_000)
        #expect((largest["frames"]?.integerValue ?? .max) < 500)
        #expect((largest["waiting"]?.integerValue ?? .max) <= 32)
    }
}
