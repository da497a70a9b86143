import ArgumentParser
import DeviceCore

/// The program that the fault rig (Tests/Faults) runs in its network namespaces.
///
/// It prints JSON lines; `t` is CLOCK_MONOTONIC in nanoseconds, the same for all processes of a machine, whatever their
/// namespace. What a line means stands with the sub-command that prints it.
@main
struct FaultDevice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends, receives and gathers herds for the fault rig.",
        subcommands: [Send.self, Receive.self, Herd.self, Flow.self, Abilities.self])
}

/// `abilities`: what the client of this build can do, for the rig to choose from and to say what it skips.
struct Abilities: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Prints what the client of this build can do.")

    func run() async {
        let journal = Journal()
        journal.add(
            "abilities",
            [
                ("levels", .array(DeviceClient.levels.map { .string($0) })),
                ("standby", .bool(DeviceClient.hasStandby)), ("dns", .bool(DeviceClient.hasResolver)),
                ("moved", .bool(DeviceClient.tellsMoves)), ("tls", .bool(DeviceClient.hasTLS)),
            ])
    }
}
