import CLuaPeer
import DeviceLua
import Glibc

/// Prints what the host of scripts costs beside a plain C host: the least of some rounds, both by turns.
///
///     lua-bench [--rounds 7]
@main
enum LuaBench {
    static func main() async {
        var rounds = 7
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.count == 2, arguments.first == "--rounds", let number = Int(arguments.last ?? ""), number > 0 {
            rounds = number
        } else if !arguments.isEmpty {
            print("usage: lua-bench [--rounds N]")
            exit(64)
        }
        do {
            try await Measurements(rounds: rounds).run()
        } catch {
            print("lua-bench: \(error)")
            exit(1)
        }
    }
}
