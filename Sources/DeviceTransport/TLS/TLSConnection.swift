import CNetShim
import DeviceCore
import DeviceProtocols
import NIOCore

/// OpenSSL's side of one connection, on byte buffers. Belongs to its channel's event loop.
final class TLSConnection {
    /// How a step ended.
    enum Step {
        /// Handshake: it is done. Reading: there may be more.
        case done
        /// The input is used up.
        case wantsInput
        /// The peer has said that nothing more comes.
        case closed
        case failed
    }

    private let pointer: OpaquePointer
    /// It must outlive the connection.
    private let context: TLSContextHandle

    init(_ context: TLSContextHandle) throws(DeviceError) {
        guard let pointer = cnet_tls_new(context.pointer) else {
            throw DeviceError(.limitExceeded, "there is no memory for one more TLS connection")
        }
        self.pointer = pointer
        self.context = context
    }

    deinit { cnet_tls_free(pointer) }

    // MARK: Client

    func setPeer(_ name: String, isAddress: Bool, isChecked: Bool) throws(DeviceError) {
        guard cnet_tls_set_peer(pointer, name, isAddress ? 1 : 0, isChecked ? 1 : 0) == 1 else {
            throw DeviceError(.invalidArgument, "\"\(name.prefix(100).description.printable)\" is no name of a server")
        }
    }

    /// Whether the certificate that the other end has shown is for a name or an address.
    func peerFits(_ name: String) -> Bool { cnet_tls_peer_fits(pointer, name, IPAddress(name) == nil ? 0 : 1) == 1 }

    func offer(_ session: TLSSessionCache.Session) { _ = cnet_tls_offer_session(pointer, session.pointer) }

    func takeSession() -> TLSSessionCache.Session? {
        cnet_tls_take_session(pointer).map { TLSSessionCache.Session($0) }
    }

    // MARK: Steps

    /// Goes on with the handshake. `output` gets what has to be sent, also when it fails.
    func handshake(_ input: inout ByteBuffer, _ output: inout ByteBuffer) -> Step {
        let step = withInput(&input) { cnet_tls_handshake(pointer, &$0) }
        drain(into: &output)
        return Step(step)
    }

    /// Decrypts all input, appending to `plain`. `output` gets what has to be sent (alerts, answers of the protocol).
    func read(_ input: inout ByteBuffer, into plain: inout ByteBuffer, _ output: inout ByteBuffer) -> Step {
        while true {
            // Decrypting makes bytes fewer; what OpenSSL holds of a record that was not complete comes on top.
            let room = max(cnet_tls_pending(pointer), min(input.readableBytes, 128 << 10), 256)
            var step = CNET_TLS_DONE
            plain.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { bytes in
                var count = 0
                step = withInput(&input) {
                    cnet_tls_read(pointer, &$0, bytes.baseAddress, bytes.count, &count)
                }
                return min(count, bytes.count)
            }
            guard step == CNET_TLS_DONE else {
                drain(into: &output)
                return Step(step)
            }
        }
    }

    /// Encrypts, appending to `output`. False when the connection is broken.
    func write(_ plain: ByteBuffer, _ output: inout ByteBuffer) -> Bool {
        guard plain.readableBytes > 0 else { return true }
        // A record of 16 KB is at most 22 (TLS 1.3) to 29 bytes (1.2) longer with AEAD ciphers; others fit here too.
        let room = plain.readableBytes + (plain.readableBytes / 16384 + 1) * 64
        var step = CNET_TLS_FAILED
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
            var io = cnet_tls_io()
            io.output = target.bindMemory(to: UInt8.self).baseAddress
            io.output_capacity = target.count
            step = plain.withUnsafeReadableBytes {
                cnet_tls_write(pointer, &io, $0.bindMemory(to: UInt8.self).baseAddress, $0.count)
            }
            return min(io.output_count, target.count)
        }
        drain(into: &output)
        return step == CNET_TLS_DONE
    }

    /// Appends close_notify, if it was not sent before.
    func shutDown(_ output: inout ByteBuffer) {
        var io = cnet_tls_io()
        cnet_tls_shutdown(pointer, &io)
        drain(into: &output)
    }

    private func withInput(
        _ input: inout ByteBuffer, _ step: (inout cnet_tls_io) -> cnet_tls_step
    ) -> cnet_tls_step {
        var result = CNET_TLS_FAILED
        input.readWithUnsafeReadableBytes { bytes in
            var io = cnet_tls_io()
            io.input = bytes.bindMemory(to: UInt8.self).baseAddress
            io.input_count = bytes.count
            result = step(&io)
            return bytes.count - min(io.input_count, bytes.count)
        }
        return result
    }

    private func drain(into output: inout ByteBuffer) {
        var count = 0
        let bytes = cnet_tls_take_spilled(pointer, &count)
        if count > 0, let bytes { output.writeBytes(UnsafeBufferPointer(start: bytes, count: count)) }
    }

    // MARK: What is known

    var problem: cnet_tls_problem { cnet_tls_failure(pointer) }

    /// A text of a certificate, fit for a log; nil where there is none.
    func certificate(_ owner: cnet_tls_owner, _ field: cnet_tls_field) -> String? {
        var text = [CChar](repeating: 0, count: 400)
        let count = cnet_tls_certificate(pointer, owner, field, &text, text.count)
        guard count > 0 else { return nil }
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self).printable
    }

    /// After the handshake.
    var info: TLSInfo {
        var count = 0
        let alpn = cnet_tls_alpn(pointer, &count)
        return TLSInfo(
            version: String(cString: cnet_tls_version(pointer)), cipher: String(cString: cnet_tls_cipher(pointer)),
            applicationProtocol: alpn.map {
                String(decoding: UnsafeBufferPointer(start: $0, count: count), as: UTF8.self).printable
            },
            isResumed: cnet_tls_is_resumed(pointer) == 1,
            peerSubject: certificate(CNET_TLS_PEER, CNET_TLS_SUBJECT),
            peerNames: certificate(CNET_TLS_PEER, CNET_TLS_NAMES))
    }
}

extension TLSConnection.Step {
    init(_ step: cnet_tls_step) {
        switch step {
        case CNET_TLS_DONE: self = .done
        case CNET_TLS_WANTS_INPUT: self = .wantsInput
        case CNET_TLS_CLOSED: self = .closed
        default: self = .failed
        }
    }
}
