import CNetShim
package import DeviceCore
import DeviceProtocols
import NIOCore

/// What connections by ``TLSStream`` share: certificates from memory, for programs whose certificates are no files of
/// their own.
package final class TLSStreamContext: Sendable {
    private let handle: TLSContextHandle
    private let isServer: Bool

    /// Throws `.configuration` for what is no certificate or key in PEM.
    ///
    /// - Parameters:
    ///   - roots: certificates in PEM that are trusted; nil for the system's. Of a server: those of its clients, which it
    ///     asks for a certificate then.
    ///   - identity: the own certificate, with intermediate ones after it, and its key, in PEM; a server needs it.
    package init(
        isServer: Bool, roots: [[UInt8]]?, identity: (chain: [UInt8], key: [UInt8])?
    ) throws(DeviceError) {
        handle = try TLSContextHandle(isServer: isServer, roots: roots, identity: identity)
        self.isServer = isServer
    }

    /// The client's end of a connection. The server's certificate must be for that name or address.
    package func connect(to name: String, port: Int) throws(DeviceError) -> TLSStream {
        let (name, isAddress) = TLSClientContext.normal(name)
        let connection = try TLSConnection(handle)
        try connection.setPeer(name, isAddress: isAddress, isChecked: true)
        return TLSStream(
            connection, .client(authority: "\(name):\(port)", name: name, TLSClientConfiguration()))
    }

    /// The server's end of a connection.
    package func accept(from client: String) throws(DeviceError) -> TLSStream {
        let none = TLSServerConfiguration(identity: TLSIdentity(certificateFile: "", key: ""))
        return TLSStream(try TLSConnection(handle), .server(client: client, none))
    }
}

/// TLS on bytes that its owner reads from and writes to a connection. One thread at a time.
package final class TLSStream {
    /// Where it is.
    package enum State {
        case handshaking
        case open
        /// The peer has said that nothing more comes, or broke the connection off within the handshake.
        case closed
        case failed(DeviceError)
    }

    /// Decrypted bytes beyond these are left undecrypted until some were taken.
    private static let plainLimit = 64 << 10

    package private(set) var state = State.handshaking
    private let connection: TLSConnection
    private let failure: TLSFailure
    private var input = ByteBuffer()
    private var plain = ByteBuffer()
    private var output = ByteBuffer()

    init(_ connection: TLSConnection, _ side: TLSFailure.Side) {
        self.connection = connection
        failure = TLSFailure(side: side)
        if case .client = side { advance() }
    }

    /// Whether something has to be sent.
    package var hasOutput: Bool { output.readableBytes > 0 }
    /// What has to be sent; ``sent(_:)`` takes it off.
    package func withOutput<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        output.withUnsafeReadableBytes(body)
    }
    /// So many bytes have been sent.
    package func sent(_ count: Int) {
        output.moveReaderIndex(forwardBy: min(max(0, count), output.readableBytes))
        if output.readableBytes == 0 { output = ByteBuffer() }
    }

    /// Bytes came from the connection.
    package func received(_ bytes: some Sequence<UInt8>) {
        input.writeBytes(bytes)
        advance()
    }

    /// The connection has ended.
    package func receivedEnd() {
        switch state {
        case .handshaking: state = .failed(failure.closed)
        case .open: state = .closed
        case .closed, .failed: break
        }
    }

    /// Decrypted bytes, at most so many; empty when there are none now.
    package func take(_ limit: Int) -> [UInt8] {
        let bytes = plain.readBytes(length: min(limit, plain.readableBytes)) ?? []
        plain.discardReadBytes()
        if input.readableBytes > 0 { advance() }
        return bytes
    }

    /// Encrypts bytes; they wait to be sent then. Nothing happens unless it is open.
    package func write(_ bytes: [UInt8]) {
        guard case .open = state else { return }
        if !connection.write(ByteBuffer(bytes: bytes), &output) { state = .failed(failure.error(connection)) }
    }

    /// Whether the certificate that the other end has shown is for a name or an address.
    package func peerFits(_ name: String) -> Bool { connection.peerFits(TLSClientContext.normal(name).name) }

    /// Says goodbye.
    package func shutDown() { if case .open = state { connection.shutDown(&output) } }

    private func advance() {
        if case .handshaking = state {
            switch connection.handshake(&input, &output) {
            case .done: state = .open
            case .wantsInput: break
            case .closed, .failed: state = .failed(failure.error(connection))
            }
        }
        guard case .open = state, input.readableBytes > 0, plain.readableBytes < Self.plainLimit else { return }
        switch connection.read(&input, into: &plain, &output) {
        case .done, .wantsInput: input.discardReadBytes()
        case .closed: state = .closed
        case .failed: state = .failed(failure.error(connection))
        }
    }
}
