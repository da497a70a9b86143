import DeviceCore

/// One line of a simulated chip: what the program asked for, and what the world outside does to the pin.
struct SimulatedLine {
    let line: GPIOLine
    /// The resistor that the board or the test put there.
    var pull: Bias
    /// The level that something outside drives, stronger than any resistor.
    var driven: Bool?

    var consumer: String?
    var isUsed = false
    var isOutput = false
    var isActiveLow = false
    var outputIsHigh = false
    var drive: Drive = .pushPull
    var bias: Bias = .unchanged
    /// The request that wants to know about edges, until it is closed, and the line's index in it.
    var watcher: SimulatedInput?
    var watcherIndex = 0

    init(line: GPIOLine, pull: Bias) {
        self.line = line
        self.pull = pull
    }

    /// The level on the pin.
    var isHigh: Bool {
        if isOutput {
            switch drive {
            case .pushPull: return outputIsHigh
            case .openDrain where !outputIsHigh: return false
            case .openSource where outputIsHigh: return true
            case .openDrain, .openSource: break
            }
        }
        if let driven { return driven }
        switch bias {
        case .pullUp: return true
        case .pullDown: return false
        case .unchanged, .disabled: return pull == .pullUp
        }
    }

    /// The level without anything that drives it: what a button's contact pulls away from.
    var idlesHigh: Bool { bias == .pullUp || (bias != .pullDown && pull == .pullUp) }

    mutating func release() {
        consumer = nil
        isUsed = false
        isActiveLow = false
        bias = .unchanged
        watcher = nil
    }
}
