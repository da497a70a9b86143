/// What was agreed on in a handshake.
public struct TLSInfo: Hashable, Sendable {
    /// `TLSv1.2` or `TLSv1.3`.
    public var version: String
    /// OpenSSL's name of the cipher suite.
    public var cipher: String
    /// The protocol above, if one was agreed on (ALPN).
    public var applicationProtocol: String?
    /// Whether an earlier session was taken up again, which saves a certificate check and a round trip or two.
    public var isResumed: Bool
    /// The peer's certificate's subject (RFC 2253); nil for a client without one.
    public var peerSubject: String?
    /// The names in the peer's certificate, with commas between them.
    public var peerNames: String?
}
