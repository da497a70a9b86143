import DeviceCore
import DeviceProtocols
import DeviceSDK
import DeviceTransport

/// The command line, checked.
struct LEDDemoOptions: Sendable {
    var brokers: [BrokerURL] = []
    var profile = ClusterProfile.normal
    var policy: NodePolicyName?
    /// For SRV records.
    var service: String?
    var keepsStandby = false
    var dns: ResolverConfiguration?
    /// In place of /etc/hosts.
    var hostsFile: String?
    /// Numbered messages a second.
    var heartbeat: Int?
    /// Nodes of the demo with several brokers; nil for a single device.
    var cluster: Int?
    /// A page elsewhere, to be shown.
    var page: String?
    /// A file that gets the events as well.
    var events: String?
    var listen: ListenAddress?
    var monitor: ListenAddress?
    var isLAN = false
    var isOpen = false
    var board = "auto"
    var leds: [LEDSpecification] = []
    /// The LEDs were named by the user, so lines must not be exchanged for simulated ones.
    var hasOwnLEDs = false
    var button: ButtonSpecification?
    var onExit = ReleasePolicy.off
    var name: String?
    /// The unique id for brokers, or nil for the machine's.
    var uid: [UInt8]?
    /// A file with the authorities that are trusted, or nil for the system's.
    var tlsAuthorities: String?
    /// The device's certificate for brokers, or the embedded broker's.
    var tlsIdentity: TLSIdentity?
    var duration: Duration?
    /// The scripts to run.
    var apps = AppOptions()
    var isJSON = false
    var isVerbose = false
}

/// `line=pin18,led=1`: a button and the LED that it toggles.
struct ButtonSpecification: Hashable, Sendable {
    var line: LineAddress
    var led = 1

    init(_ text: String) throws(DeviceError) {
        func wrong(_ what: String) -> DeviceError {
            DeviceError(.invalidArgument, "--button \"\(text.prefix(100))\" \(what)", hint: "Example: line=pin18,led=1")
        }
        var line: LineAddress?
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2 else { throw wrong("has \"\(part)\", which is not KEY=VALUE") }
            switch pair[0] {
            case "line":
                guard let address = LineAddress(pair[1]) else { throw wrong("names no line") }
                line = address
            case "led":
                guard let number = Int(pair[1]), number > 0 else { throw wrong("needs a LED number from 1") }
                led = number
            default: throw wrong("has the unknown key \"\(pair[0])\"")
            }
        }
        guard let line else { throw wrong("has no line") }
        self.line = line
    }
}

extension LEDDemoOptions {
    /// Checks the lines of the command line on a board: one that the board does not have, or that has two uses, is
    /// wrong usage; a machine without chips is not.
    func checkLines(on backend: any GPIOBackend) throws(DeviceError) {
        do throws(DeviceError) {
            try LEDSpecification.checkLines(leds, on: backend)
            try checkButton(on: backend)
        } catch {
            guard error.code == .notFound, try !backend.chips().isEmpty else { throw error }
            throw DeviceError(.invalidArgument, error.message, hint: error.hint, cause: error.cause)
        }
    }

    private func checkButton(on backend: any GPIOBackend) throws(DeviceError) {
        guard let button else { return }
        let line = try backend.find(button.line)
        for led in leds {
            let other = try backend.find(led.line)
            if other.chip == line.chip, other.device == line.device, other.offset == line.offset {
                throw DeviceError(
                    .invalidArgument, "--button is on line \(line), which LED \"\(led.name)\" is on",
                    hint: "Give the button a line of its own")
            }
        }
    }
}
