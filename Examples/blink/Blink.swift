// A LED that blinks until the button is pressed; on a board with GPIO chips, or on a simulated one.
import DeviceSDK
import DeviceSimulator

@main
struct Blink {
    static func main() async throws {
        let board: any GPIOBackend = LibgpiodBackend.isAvailable() ? try LibgpiodBackend() : SimulatedBoard()
        let led = try LED("pin11", on: board)
        let button = try Button("pin18", on: board)
        try led.blink(on: .milliseconds(250), off: .milliseconds(750))
        print("\(board.name): LED on \(led.line?.name ?? "pin 11") blinks; press the button on pin 18")
        for await press in button.presses() { print("pressed at \(press.time)"); try led.toggle() }
    }
}
