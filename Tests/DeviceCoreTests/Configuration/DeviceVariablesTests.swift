import DeviceCore
import Foundation
import Testing

/// An environment is shared by the programs: each has to know the variables of all, or it takes another's for a mistake.
@Suite struct DeviceVariablesTests {
    @Test func everyFlagOfEveryProgramIsKnown() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../Sources")
            .standardized
        var flags: Set<String> = []
        for program in ["LEDDemo/LEDDemo", "LoRaGateway/LoRaGateway", "smq-broker/SMQBroker", "device-fleet/Fleet"] {
            let text = try String(contentsOf: sources.appending(path: program + "Command.swift"), encoding: .utf8)
            let names = text.matches(of: /\.(?:option|flag|list)\("([a-z-]+)"\)/).map { String($0.output.1) }
            #expect(!names.isEmpty, "\(program)")
            flags.formUnion(names)
        }
        let variables = flags.map { "DEVICE_" + $0.uppercased().replacing("-", with: "_") }
        #expect(Set(variables).subtracting(DeviceVariables.all).sorted() == [])
    }
}
