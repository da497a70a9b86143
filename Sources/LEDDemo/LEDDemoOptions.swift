import DeviceCore
import DeviceProtocols
import DeviceSDK
import DeviceTransport

/// The command line, checked.
struct LEDDemoOptions: Sendable {
    var brokers: [BrokerURL] = []
    var listen: ListenAddress?
    var isLAN = false
    var isOpen = false
    var board = "auto"
    var leds: [LEDSpecification] = []
    /// The LEDs were named by the user, so lines must not be exchanged for simulated ones.
    var hasOwnLEDs = false
    var button: ButtonSpecification?
    var onExit = ReleasePolicy.off
    var name: String?
    var duration: Duration?
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
