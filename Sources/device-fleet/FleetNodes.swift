import DeviceCore
import DeviceProtocols
import DeviceTransport

/// Where a fleet's receivers stand.
enum FleetNodes {
    /// The receivers' addresses, and the number of the brokers' addresses.
    ///
    /// - Throws: what the lookup of the brokers' names throws, when none has an answer.
    static func find(_ options: FleetOptions) async throws(DeviceError) -> (receivers: [BrokerURL], endpoints: Int) {
        let resolver = options.resolver ?? .shared
        var found: [(url: BrokerURL, endpoint: Endpoint)] = []
        var failure: DeviceError?
        for url in options.brokers {
            do throws(DeviceError) {
                let resolution = try await resolver.resolve(
                    ResolverTarget(url.host, port: url.port, service: options.service))
                for record in resolution.endpoints where !found.contains(where: { $0.endpoint == record.endpoint }) {
                    found.append((url, record.endpoint))
                }
            } catch { failure = failure ?? error }
        }
        guard !found.isEmpty else {
            throw failure ?? DeviceError(.notFound, "no broker has an address")
        }
        guard options.receivers.isEmpty else { return (options.receivers, found.count) }
        // In an order that does not change from run to run.
        let sorted = found.sorted { $0.endpoint.description < $1.endpoint.description }
        let urls = sorted.map { url, endpoint -> BrokerURL in
            // A certificate is for the name.
            guard !url.isSecure else { return url }
            var url = url
            url.host = endpoint.address.description
            url.port = endpoint.port
            return url
        }
        var distinct: [BrokerURL] = []
        for url in urls.prefix(FleetOptions.receiverLimit) where !distinct.contains(url) { distinct.append(url) }
        return (distinct, found.count)
    }
}
