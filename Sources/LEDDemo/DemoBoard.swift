import DeviceCore
import DeviceSDK
import DeviceSimulator

/// The board that the demo runs on: a real one, or a simulated one.
struct DemoBoard: Sendable {
    let backend: any GPIOBackend
    /// The same board, when it is simulated.
    let simulated: SimulatedBoard?
    /// What the user should know about the choice.
    let note: String?

    /// Chooses the board that `--board` asks for.
    static func choose(_ options: LEDDemoOptions) throws(DeviceError) -> DemoBoard {
        switch options.board {
        case "auto": try automatic(options)
        case "sim": try simulate("rpi4", note: nil)
        case let text where text.hasPrefix("sim:"): try simulate(String(text.dropFirst(4)), note: nil)
        default:
            DemoBoard(backend: try LibgpiodBackend(board: try named(options.board)), simulated: nil, note: nil)
        }
    }

    private static func automatic(_ options: LEDDemoOptions) throws(DeviceError) -> DemoBoard {
        guard LibgpiodBackend.isAvailable() else {
            return try simulate(
                "rpi4", note: "No GPIO chip (/dev/gpiochip*) on this machine: using a simulated Raspberry Pi 4.")
        }
        let detected = DetectedBoard()
        guard detected.known != nil || options.hasOwnLEDs else {
            let model = detected.model.isEmpty ? "This machine" : "\"\(detected.model)\""
            return try simulate(
                "rpi4",
                note: "\(model) is not a known board: using a simulated Raspberry Pi 4. "
                    + "To use its own lines, name them with --led name=...,color=...,line=LABEL:OFFSET.")
        }
        return DemoBoard(backend: try LibgpiodBackend(), simulated: nil, note: nil)
    }

    /// A board that does not exist is a mistake on the command line.
    private static func named(_ name: String) throws(DeviceError) -> Board {
        do throws(DeviceError) { return try Board.named(name) } catch {
            throw DeviceError(
                .invalidArgument, "--board: \(error.message)", hint: error.hint.map { "\($0), auto, sim, sim:NAME" })
        }
    }

    private static func simulate(_ name: String, note: String?) throws(DeviceError) -> DemoBoard {
        let board = SimulatedBoard(try named(name))
        return DemoBoard(backend: board, simulated: board, note: note)
    }
}
