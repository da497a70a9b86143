/// The first byte of a SMQ message (SMQ specification, message types).
public enum SMQMessageType: UInt8, Sendable {
    /// Broker to client: version, seed, the client's address.
    case initialize = 1
}
