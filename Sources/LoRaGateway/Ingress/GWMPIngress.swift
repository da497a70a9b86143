import DeviceCore
import DeviceProtocols
import NIOCore

/// The server's side of Semtech's UDP protocol without I/O: a datagram and a time in, an answer and events out.
///
/// What has a readable head and comes from a gateway in the table is acknowledged at once, whatever its JSON is worth:
/// an acknowledgement says that the way is open. All else is counted and not answered.
struct GWMPIngress {
    /// Counts since the start.
    struct Counters {
        var datagrams: UInt64 = 0
        var acknowledged: UInt64 = 0
        var frames: UInt64 = 0
        var reports: UInt64 = 0
        /// What was wrong, by kind. Kinds are the program's own words.
        var bad: [String: UInt64] = [:]
    }

    private(set) var counters = Counters()
    private(set) var table: GatewayTable
    private var warnings = WarningLimiter<String>(every: .seconds(60))

    init(table: GatewayTable) { self.table = table }

    /// Takes a datagram.
    ///
    /// - Returns: the answer to its sender, nil for none.
    mutating func receive(
        _ datagram: ByteBuffer, from address: SocketAddress, at now: MonotonicTime, events: inout [GatewayEvent]
    ) -> ByteBuffer? {
        counters.datagrams += 1
        var rest = datagram
        let header: GWMPHeader
        do throws(GWMPError) {
            header = try GWMPHeader(reading: &rest)
        } catch {
            warn(error.kind, "\(error)", nil, address, now, &events)
            return nil
        }
        guard let eui = header.gateway, let acknowledgement = header.acknowledgement else {
            // A server's own datagrams never come to a server, and TX_ACK answers what was never sent. An answer
            // to an acknowledgement could go round for ever.
            warn(
                "unexpected-type", "\(header.type.name), which nothing here waits for", header.gateway, address, now,
                &events)
            return nil
        }
        guard admit(eui, header.type, address, now, &events) else { return nil }
        if header.type == .pushData { read(rest, eui, address, now, &events) }
        var answer = ByteBuffer()
        answer.writeGWMPHeader(acknowledgement)
        counters.acknowledged += 1
        return answer
    }

    private mutating func admit(
        _ eui: GatewayEUI, _ type: GWMPType, _ address: SocketAddress, _ now: MonotonicTime,
        _ events: inout [GatewayEvent]
    ) -> Bool {
        let outcome = table.update(eui, at: now) { gateway in
            if type == .pushData {
                gateway.pushData += 1
                gateway.pushAddress = address
            } else {
                gateway.pullData += 1
                gateway.pullAddress = address
            }
        }
        switch outcome {
        case .known: break
        case .new: events.append(.gateway(eui, address, replaced: nil))
        case .replaced(let other): events.append(.gateway(eui, address, replaced: other))
        case .refused:
            warn(
                "table-full", "no room for another gateway beside the \(table.limit) known ones (--max-gateways)", eui,
                address, now, &events)
            return false
        }
        return true
    }

    private mutating func read(
        _ rest: ByteBuffer, _ eui: GatewayEUI, _ address: SocketAddress, _ now: MonotonicTime,
        _ events: inout [GatewayEvent]
    ) {
        var frames: UInt64 = 0
        var rejected: [GWMPError] = []
        do throws(GWMPError) {
            guard case .pushData(let data) = try GWMPContent(.pushData, rest) else { return }
            frames = UInt64(data.rxpk.count)
            rejected = data.rejected
            for rxpk in data.rxpk { events.append(.frame(eui, rxpk)) }
            if let stat = data.stat {
                counters.reports += 1
                events.append(.report(eui, stat))
            }
        } catch {
            rejected = [error]
        }
        counters.frames += frames
        for error in rejected { warn(error.kind, "\(error)", eui, address, now, &events) }
        _ = table.update(eui, at: now) { gateway in
            gateway.frames += frames
            gateway.rejected += UInt64(rejected.count)
        }
    }

    private mutating func warn(
        _ kind: String, _ message: String, _ eui: GatewayEUI?, _ address: SocketAddress,
        _ now: MonotonicTime, _ events: inout [GatewayEvent]
    ) {
        counters.bad[kind, default: 0] += 1
        guard let held = warnings.admit(kind, at: now) else { return }
        events.append(.warning(kind: kind, message, eui, address, held: held))
    }
}
