public import ClusterClient
public import ServiceLifecycle

/// A client as a service of a swift-service-lifecycle group: it runs until the group shuts down, then says goodbye.
public struct SMQClientService: Service {
    /// The client that runs.
    public let client: SMQClient

    /// Makes a service of a client.
    public init(_ client: SMQClient) { self.client = client }

    /// Runs the client.
    ///
    /// - Throws: what ``SMQClient/run()`` throws.
    public func run() async throws {
        try await cancelWhenGracefulShutdown { try await client.run() }
    }
}
