import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceSDK
import NIOCore

/// The device's description, which pages show.
///
/// The contract's own keys come first; `board`, `pin`, `line` and `cluster` are ours, and other pages ignore them.
struct DeviceInfo: Sendable {
    struct Item: Sendable {
        var id: Int
        var name: String
        var color: String
        var isOn: Bool
        var pin: Int?
        var line: String
    }

    var address: String
    var name: String
    var leds: [Item]
    var temperature: Int?
    var board: Board
    var isSimulated: Bool
    /// How the device is connected; nil where there is one broker only, its own.
    var cluster: SMQClientStatus?
    /// Kept messages that wait, and that were given up; nil where none are kept.
    var kept: (waiting: UInt64, dropped: UInt64)?

    var payload: ByteBuffer {
        let leds = leds.map { led in
            "{\"id\":\(led.id),\"name\":\(JSONWriter.quoted(led.name)),\"color\":\"\(led.color)\",\"on\":\(led.isOn)"
                + (led.pin.map { ",\"pin\":\($0)" } ?? "") + ",\"line\":\(JSONWriter.quoted(led.line))}"
        }
        let pins = board.header.map { pin in
            "{\"pin\":\(pin.number),\"kind\":\"\(pin.kind.rawValue)\",\"signal\":\(JSONWriter.quoted(pin.signal))}"
        }
        let text =
            "{\"ipaddr\":\(JSONWriter.quoted(address)),\"devname\":\(JSONWriter.quoted(name))"
            + ",\"leds\":[\(leds.joined(separator: ","))]" + (temperature.map { ",\"temp\":\($0)" } ?? "")
            + ",\"board\":{\"name\":\(JSONWriter.quoted(board.name)),\"model\":\(JSONWriter.quoted(board.model))"
            + ",\"simulated\":\(isSimulated),\"pins\":[\(pins.joined(separator: ","))]}" + clusterText + "}"
        return ByteBuffer(string: text)
    }

    private var clusterText: String {
        guard let cluster, let node = cluster.node else { return "" }
        var text = ",\"cluster\":{\"node\":\(JSONWriter.quoted(node)),\"moves\":\(cluster.moves)"
        if let standby = cluster.standby { text += ",\"standby\":\(JSONWriter.quoted(standby))" }
        if let last = cluster.recentMoves.last {
            let gap = last.gap.wholeNanoseconds / 1_000_000
            text += ",\"last\":{\"from\":\(JSONWriter.quoted(last.from)),\"gap\":\(gap)"
            text += ",\"reason\":\(JSONWriter.quoted(last.reason))}"
        }
        if let kept { text += ",\"waiting\":\(kept.waiting),\"dropped\":\(kept.dropped)" }
        return text + "}"
    }
}
