import Glibc
public import NIOCore
import NIOPosix

/// A server of a test: each connection is handed to a closure.
public final class FakeServer: Sendable {
    private let channel: any Channel
    /// The port that the system gave.
    public let port: Int

    private init(_ channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    /// Listens on loopback.
    ///
    /// - Parameters:
    ///   - prepare: adds handlers below.
    ///   - serve: called with each connection; when it returns the connection is closed.
    public static func start(
        prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in },
        _ serve: @escaping @Sendable (RawConnection) async throws -> Void
    ) async throws -> FakeServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = RawConnection()
                    try prepare(channel)
                    try connection.install(on: channel)
                    Task {
                        try? await serve(connection)
                        connection.close()
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FakeServer(channel)
    }

    /// Stops listening.
    public func stop() async { try? await channel.close() }
}

/// A port on loopback on which nothing listens, and that no other test is given meanwhile.
///
/// A listener that is told to can still use it, also again and again.
public final class ReservedPort: Sendable {
    /// The port.
    public let port: Int
    private let socket: Int32

    /// Reserves a port.
    public init() throws {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(socket, address, length) == 0 ? getsockname(socket, address, &length) : -1
            }
        }
        self.socket = socket
        port = Int(UInt16(bigEndian: address.sin_port))
        guard result == 0 else { throw Late(description: "no port can be reserved") }
    }

    deinit { Glibc.close(socket) }
}
