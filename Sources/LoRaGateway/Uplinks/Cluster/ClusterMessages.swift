import DeviceCore
import DeviceProtocols

/// The JSON of the cluster's topics. `docs/lora-gateway.md` describes it; `rxpk` and `txpk` are GWMP's.
enum ClusterMessages {
    /// `{"gateway":…,"received":…,"late":…,"count":…,"rxpk":{…}}`
    ///
    /// - Parameter isLate: no broker was connected when it was heard.
    static func uplink(_ frame: ReceivedFrame, gateway: GatewayEUI, isLate: Bool) -> String {
        "{\"gateway\":\"\(gateway)\",\"received\":\"\(frame.receivedAt)\",\"late\":\(isLate),"
            + "\"count\":\(frame.uplink.count),\"rxpk\":\(frame.rxpk.json)}"
    }

    /// A frame to send: `{"id":…,"txpk":{…}}`, where `txpk` is that of PULL_RESP.
    static func downlink(_ bytes: some Sequence<UInt8>) throws(DeviceError) -> (
        id: String, txpk: Result<GWMPTxpk, GWMPError>
    ) {
        let value = try JSONValue(parsing: bytes, named: "the message", options: .message)
        guard let id = value["id"]?.stringValue, (1...64).contains(id.utf8.count) else {
            throw DeviceError(.protocolViolation, "the message has no id of 1 to 64 bytes")
        }
        do throws(GWMPError) { return (id, .success(try GWMPTxpk(value))) } catch { return (id, .failure(error)) }
    }

    /// What became of a frame: `{"gateway":…,"id":…,"state":…}`, with `txpk_ack` as in TX_ACK where it says more.
    static func acknowledgement(_ id: String, state: String, _ ack: GWMPTxpkAck?, gateway: GatewayEUI) -> String {
        var text = "{\"gateway\":\"\(gateway)\",\"id\":\(JSONWriter.quoted(id)),\"state\":\"\(state)\""
        // The object of TX_ACK without its braces.
        if let json = ack?.json, json.utf8.count > 2 { text += "," + json.dropFirst().dropLast() }
        return text + "}"
    }
}
