import DeviceCore
import DeviceLua
import DeviceTransport

/// The command line of a running gateway, checked.
struct GatewayServiceOptions: Sendable {
    /// Where the settings come from.
    enum Source: Sendable, Hashable {
        /// Semtech's or this program's own file.
        case file(String)
        /// A directory as Basics Station has it.
        case station(String)
        /// The virtual network server that is built in.
        case builtIn
    }

    var source = Source.builtIn
    /// The virtual concentrator instead of the radio that the settings name.
    var isSimulated = false
    /// Virtual devices around the virtual concentrator.
    var devices = 10
    var seed: UInt64 = 1
    /// What the virtual concentrator's clock shows at its start, in microseconds.
    var counterStart: UInt64 = 0
    /// How often each sends.
    var interval = Duration.seconds(30)
    /// The page; nil: as the settings say, and on loopback when simulated.
    var page: ListenAddress?
    var isLAN = false
    var duration: Duration?
    var isJSON = false
    /// No line for each frame.
    var isQuiet = false
    /// What the built-in server is spoken to by.
    var builtInProtocol = "gwmp"
    /// Scripts of the command line, which are run instead of those that the settings name.
    var scripts = ScriptSources()
}
