import DeviceProtocols

/// What a frame is, for a person. What it holds stays enciphered.
enum FrameText {
    /// `data 26011BDA #7`, `join request 70b3d57ed0000001`, `proprietary`.
    static func kind(_ payload: [UInt8]) -> String {
        guard let frame = try? LoRaWANFrame(payload) else { return "not LoRaWAN" }
        switch frame {
        case .joinRequest(let request): return "join request \(request.devEUI)"
        case .joinAccept: return "join accept"
        case .data(let data):
            let name = data.type.isConfirmed ? "confirmed" : "data"
            return "\(name) \(data.devAddr) #\(data.fCnt)"
        case .rejoinRequest: return "rejoin request"
        case .proprietary: return "proprietary"
        }
    }
}
