public import DeviceCore
public import DeviceTransport
public import Logging

/// How the links of a cluster are secured: both ends show a certificate of one authority, for a name or an address by
/// which the other end knows them.
///
/// The links' own protocol, its password included, is the same inside.
public struct LinkTLS: Sendable {
    /// The name of the links' protocol (ALPN, RFC 7301), so that no other server with such a certificate is taken for a node.
    static let applicationProtocol = "smq-link"
    let client: TLSClientContext
    let server: TLSServerContext

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - identity: this node's certificate, for servers and clients.
    ///   - authorities: a PEM file with the authorities that sign nodes' certificates.
    ///   - peers: the other nodes; whoever dials must have a certificate for one of these names or addresses.
    /// - Throws: ``DeviceError`` `configuration` that names the file that is wrong.
    public init(
        identity: TLSIdentity, authorities: String, peers: [ResolverTarget], logger: Logger
    ) throws(DeviceError) {
        var client = TLSClientConfiguration(trustRoots: .file(authorities), identity: identity)
        client.applicationProtocols = [Self.applicationProtocol]
        self.client = try TLSClientContext(client, logger: logger)
        var server = TLSServerConfiguration(identity: identity, clientCertificate: .required(.file(authorities)))
        server.applicationProtocols = [Self.applicationProtocol]
        server.clientNames = peers.map(\.name)
        self.server = try TLSServerContext(server, logger: logger)
    }
}
