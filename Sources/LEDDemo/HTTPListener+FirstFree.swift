import DeviceCore
import DeviceTransport

extension HTTPListener {
    /// Starts at exactly that address, or with nil at port 8080 or the next free one of `defaultHost`.
    ///
    /// - Throws: what the first address threw.
    static func firstFree(
        _ address: ListenAddress?, defaultHost: String,
        start: (ListenAddress) async throws(DeviceError) -> HTTPListener
    ) async throws(DeviceError) -> HTTPListener {
        let candidates = address.map { [$0] } ?? (8080...8099).map { ListenAddress(host: defaultHost, port: $0) }
        var failure: DeviceError?
        for candidate in candidates {
            do throws(DeviceError) { return try await start(candidate) } catch {
                failure = failure ?? error
                if error.code != .busy { break }
            }
        }
        throw failure ?? DeviceError(.unavailable, "no address to listen on")
    }
}
