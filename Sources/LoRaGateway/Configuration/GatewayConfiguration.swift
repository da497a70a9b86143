import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceTransport

/// Everything that the files say, checked.
struct GatewayConfiguration: Sendable {
    /// Where frames come from.
    enum RadioKind: Sendable, Hashable {
        /// The built-in simulation.
        case virtual
        /// Another forwarder, which sends its frames to this UDP address.
        case forwarder(ListenAddress)
        /// A simulated SX1301 of Basics Station's test tools: its unix socket.
        case lgwsim(String)
    }

    /// Who this gateway is to its servers (`gateway_ID`); nil: made from the machine's network card.
    var eui: GatewayEUI?
    /// nil where no file says it; then the region's usual channels are used.
    var plan: RadioPlan?
    /// The region's name as the files have it, such as EU868.
    var region: String?
    /// Whether downlinks over the duty cycle or dwell time of the region are refused.
    var enforcesAirtime = true
    /// Whether the radio listens before it sends, where the region's law asks for it; nil: it does.
    var listensBeforeTalk: Bool?
    /// nil where no file says it: never a simulation that nobody has asked for.
    var radio: RadioKind?
    var uplinks: [UplinkConfiguration] = []
    /// For the reports.
    var position: Position?
    /// Where the page is.
    var page: ListenAddress?
    /// Names that the page may be called by besides its address.
    var pageNames: [String] = []
    var beacon: Beacon?
    /// Scripts that see, change and refuse frames.
    var scripts = ScriptSources()
    /// `app-limit` and `app-permit` as they are written.
    var scriptRules: [String] = []
    /// What scripts of the gateway can be permitted.
    static let scriptPermissionKinds = LuaPermissions.Kind.ofRuntime + [.hooks]
    /// The files it was read from, for the log.
    var files: [String] = []

    /// Degrees and metres (`ref_latitude`, `ref_longitude`, `ref_altitude`).
    struct Position: Sendable, Hashable {
        var latitude: Double
        var longitude: Double
        var altitude: Int32
    }

    /// Class B beacons (`beacon_*`).
    struct Beacon: Sendable, Hashable {
        var frequency: RadioFrequency
        var rate: LoRaDataRate
        var power: Int8
        var information: UInt8
    }
}
