public import DeviceProtocols
public import NIOCore

/// A request to turn a connection into a stream: raw SMQ, or a WebSocket.
public struct StreamRequest: Sendable {
    /// The request that asks for it.
    public var request: HTTPRequest
    /// What the connection becomes.
    public var framing: SMQFraming
}

/// What a route does with a request for a stream.
public enum StreamDecision: Sendable {
    /// Answer it and go on with HTTP.
    case refuse(HTTPResponse)
    /// Take the connection over. For raw streams `responseHead` is written first, if there is one. `install` adds
    /// the handlers of the stream, on the connection's event loop; from then on they read and write `ByteBuffer`s:
    /// pieces of the raw stream, or whole WebSocket messages (written with their frame head).
    case accept(responseHead: String?, install: @Sendable (any Channel) throws -> Void)
}

/// The paths that a listener serves. The listener itself knows none.
public struct HTTPRoutes: Sendable {
    /// Answers a request.
    public typealias Page = @Sendable (HTTPRequest) async -> HTTPResponse
    /// Decides on a stream.
    public typealias Stream = @Sendable (StreamRequest) -> StreamDecision

    var pages: [String: Page] = [:]
    var actions: [String: Page] = [:]
    var streams: [String: Stream] = [:]

    /// No routes.
    public init() {}

    /// Serves GET and HEAD of a path.
    public mutating func page(_ path: String, _ page: @escaping Page) { pages[path] = page }

    /// Serves POST of a path, which changes something. Only for who has the token; where there is none, and with
    /// ``HTTPAccessPolicy/isOpen``, only for programs of this machine and the listener's own pages.
    public mutating func action(_ path: String, _ action: @escaping Page) { actions[path] = action }

    /// Serves streams at a path.
    public mutating func stream(_ path: String, _ stream: @escaping Stream) { streams[path] = stream }

    /// Adds the routes of another table; a path that both have is the other's.
    public mutating func merge(_ other: HTTPRoutes) {
        pages.merge(other.pages) { $1 }
        actions.merge(other.actions) { $1 }
        streams.merge(other.streams) { $1 }
    }
}
