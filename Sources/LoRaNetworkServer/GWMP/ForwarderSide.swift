import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

/// The virtual network server's side for forwarders that speak Semtech's UDP protocol.
final class ForwarderSide: UDPReceiver {
    private let hub: NetworkServerHub
    private var pending: [UDPDatagram] = []
    private var token: UInt16 = 0
    private let send: ([UDPDatagram]) -> Void

    /// - Parameter send: sends datagrams that answer nothing.
    init(_ hub: NetworkServerHub, send: @escaping ([UDPDatagram]) -> Void) {
        self.hub = hub
        self.send = send
        hub.sendToForwarder = { [weak self] downlink, address in self?.queue(downlink, address) }
    }

    func receive(_ datagram: UDPDatagram, answers: inout [UDPDatagram]) {
        var rest = datagram.data
        let header: GWMPHeader
        do throws(GWMPError) {
            header = try GWMPHeader(reading: &rest)
        } catch {
            return hub.core.reportBad(error.kind)
        }
        guard let gateway = header.gateway else { return hub.core.reportBad("unexpected-type") }
        if let acknowledgement = header.acknowledgement {
            var answer = ByteBuffer()
            answer.writeGWMPHeader(acknowledgement)
            answers.append(UDPDatagram(remoteAddress: datagram.remoteAddress, data: answer))
        }
        if header.type == .pullData, !hub.register(gateway, at: datagram.remoteAddress) {
            return hub.core.reportBad("too-many-gateways")
        }
        do throws(GWMPError) {
            switch try GWMPContent(header.type, rest) {
            case .pushData(let data): take(data, from: gateway)
            case .txAck(let ack): hub.core.report(refusal: ack.error?.description)
            default: break
            }
        } catch {
            hub.core.reportBad(error.kind)
        }
    }

    private func take(_ data: GWMPPushData, from gateway: EUI64) {
        for error in data.rejected { hub.core.reportBad(error.kind) }
        for rxpk in data.rxpk where rxpk.stat != .bad {
            guard let counter = rxpk.tmst else {
                hub.core.reportBad("missing-field")
                continue
            }
            hub.receive(
                ServerUplink(
                    gateway: gateway, moment: .counter(counter), frequency: rxpk.freq, modulation: rxpk.modulation,
                    payload: rxpk.payload))
        }
    }

    func receiveComplete() { flush() }

    /// Sends what waits: after each batch of datagrams, and after the clock's tick.
    func flush() {
        guard !pending.isEmpty else { return }
        send(pending)
        pending.removeAll(keepingCapacity: true)
    }

    private func queue(_ downlink: ServerDownlink, _ address: SocketAddress) {
        token &+= 1
        var datagram = ByteBuffer()
        datagram.writeGWMP(GWMPDatagram(token: token, content: .pullResp(downlink.txpk)))
        pending.append(UDPDatagram(remoteAddress: address, data: datagram))
    }
}
