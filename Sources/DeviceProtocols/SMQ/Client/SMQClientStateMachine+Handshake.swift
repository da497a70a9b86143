import DeviceCore
import NIOCore

extension SMQClientStateMachine {
    /// Reads the HTTP response, if there is one: a broker may also begin with Init at once (first byte 0).
    ///
    /// - Returns: whether the SMQ stream has begun.
    mutating func readHTTPResponse() -> Bool {
        guard let first = input.getInteger(at: input.readerIndex, as: UInt8.self) else { return false }
        guard first == UInt8(ascii: "H") else {
            phase = .awaitingInit
            return true
        }
        let view = input.readableBytesView
        guard let end = view.firstRange(of: [13, 10, 13, 10]) else {
            if view.count > 8192 {
                fail(DeviceError(.protocolViolation, "the HTTP response has no end", hint: Self.notSMQ))
            }
            return false
        }
        let head = String(decoding: view[..<end.lowerBound], as: UTF8.self)
        input.moveReaderIndex(to: end.upperBound)
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
        let status = lines.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
        guard status != 401, status != 403 else {
            fail(
                DeviceError(
                    .permission, "\(configuration.host) does not let this client in (HTTP status \(status))",
                    hint: "If the broker printed an address with a token, use that: smq://host:port/smq.lsp?token=..."))
            return false
        }
        guard status == 200 else {
            fail(
                DeviceError(
                    .protocolViolation,
                    "\(configuration.host)\(configuration.path) answered with HTTP status \(status), not as a SMQ broker",
                    hint: Self.notSMQ))
            return false
        }
        guard lines.dropFirst().contains(where: { $0.lowercased().hasPrefix("smqbroker:") }) else {
            fail(
                DeviceError(
                    .protocolViolation,
                    "\(configuration.host)\(configuration.path) is an ordinary web page, not a SMQ broker",
                    hint: Self.notSMQ))
            return false
        }
        phase = .awaitingInit
        return true
    }

    mutating func handle(_ frame: SMQFrame, _ onPublish: (UInt32, UInt32, UInt32, ByteBuffer) -> Void) {
        switch (phase, frame) {
        case (.open, .publish(let destination, let publisher, let subtopic, let payload)):
            onPublish(destination, publisher, subtopic, payload)
        case (.open, .ack(let type, let accepted, let id, let name)):
            events.append(.acknowledged(type, name: name, id: accepted ? id : nil))
        case (.open, .change(let id, let subscribers)):
            events.append(.changed(id: id, subscribers: subscribers))
        case (.open, .ping):
            // Who asks and does not read makes them gather here.
            guard waitingPongs < Self.pongLimit else {
                return fail(
                    DeviceError(
                        .limitExceeded, "the broker does not take the answers to its pings: \(waitingPongs) wait"))
            }
            waitingPongs += 1
            output.writeSMQ(.pong)
        case (.open, .pong):
            // One that nobody asked for says nothing.
            guard pongs < pings else { break }
            pongs += 1
            if let awaited = pongAwaited, awaited.number == pongs {
                roundTrip = lastReceived - awaited.since
                pongAwaited = nil
            }
            events.append(.pong(pongs))
        case (.open, .disconnect(SMQGoodbye.drain)):
            events.append(.askedToLeave)
        case (_, .disconnect(let reason)):
            phase = .over
            events.append(.disconnected(reason: reason))
        case (.awaitingInit, .initialize(let version, let seed, let address)):
            guard version == 1 else {
                return fail(DeviceError(.protocolViolation, "the broker speaks SMQ version \(version), not 1"))
            }
            phase = .awaitingCredentials
            events.append(.credentialsNeeded(seed: seed, address: address))
        case (.awaitingConnack, .connack(let code, let etid, let reason)):
            guard code == .accepted else { return fail(Self.refusal(code, reason)) }
            self.etid = etid
            phase = .open
            events.append(.connected(etid: etid))
        // Version 2 of the connect can be refused before credentials are made (a broker that is full).
        case (.awaitingCredentials, .connack(let code, _, let reason)):
            fail(Self.refusal(code, reason))
        default:
            fail(
                DeviceError(
                    .protocolViolation, "the broker sent \(SMQProtocolError.unexpected(frame.type))",
                    hint: Self.notSMQ))
        }
    }

    private static func refusal(_ code: SMQConnackCode, _ reason: String) -> DeviceError {
        let text = reason.isEmpty ? "" : " (\(reason.prefix(200)))"
        switch code {
        case .badVersion:
            return DeviceError(
                .refused, "the broker refused the version or the unique id\(text)",
                hint: "A unique id has 6 to 255 bytes")
        case .unavailable:
            return DeviceError(.unavailable, "the broker takes no clients now\(text)", hint: "Trying again helps")
        case .badCredentials:
            return DeviceError(.permission, "the broker refused the credentials\(text)", hint: "Check the password")
        case .certificateRequired:
            return DeviceError(.permission, "the broker wants a client certificate\(text)")
        case .certificateRejected:
            return DeviceError(.permission, "the broker refused the client certificate\(text)")
        case .denied:
            return DeviceError(
                .permission, "the broker's rules deny this client\(text)", hint: "Ask the broker's administrator")
        default:
            return DeviceError(.refused, "the broker refused with the unknown code \(code.rawValue)\(text)")
        }
    }
}
