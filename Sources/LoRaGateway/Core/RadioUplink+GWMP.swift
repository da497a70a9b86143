import DeviceCore
import DeviceProtocols

extension GWMPRxpk {
    /// A frame as Semtech's forwarder for the SX1302 writes it.
    init(_ uplink: RadioUplink) {
        self.init(
            freq: uplink.frequency, modulation: uplink.modulation, codr: uplink.codingRate, payload: uplink.payload)
        tmst = UInt32(truncatingIfNeeded: uplink.count)
        time = uplink.time
        tmms = uplink.gpsTime.map { $0 / 1000 }
        ftime = uplink.fineTime
        chan = uplink.ifChain
        rfch = uplink.rfChain
        mid = uplink.modem
        stat = uplink.crc
        rssi = Self.rounded(uplink.rssi)
        rssis = uplink.signalRSSI.map { Self.rounded($0) }
        lsnr = uplink.snr.map { Double(Self.rounded($0 * 10)) / 10 }
        foff = uplink.frequencyOffset
    }

    /// The nearest whole number; 0 for what is none.
    private static func rounded(_ value: Double) -> Int16 {
        guard value.isFinite, value.magnitude < 30_000 else { return 0 }
        return Int16(value < 0 ? value - 0.5 : value + 0.5)
    }
}

extension RadioUplink {
    /// A frame that another forwarder heard.
    ///
    /// - Parameter count: `tmst` in 64 bits.
    init(_ rxpk: GWMPRxpk, count: UInt64, receivedAt: MonotonicTime) {
        let signal = rxpk.rsig.max { ($0.rssic ?? .min) < ($1.rssic ?? .min) }
        self.init(
            count: count, frequency: rxpk.freq, modulation: rxpk.modulation, codingRate: rxpk.codr,
            crc: rxpk.stat ?? .ok, rssi: Double(rxpk.rssi ?? signal?.rssic ?? -100), snr: rxpk.lsnr ?? signal?.lsnr,
            ifChain: rxpk.chan ?? signal?.chan ?? 0, rfChain: rxpk.rfch ?? 0, payload: rxpk.payload,
            receivedAt: receivedAt)
        signalRSSI = (rxpk.rssis ?? signal?.rssis).map { Double($0) }
        modem = rxpk.mid
        frequencyOffset = rxpk.foff ?? signal?.foff
        fineTime = rxpk.ftime ?? signal?.ftime
        time = rxpk.time
        gpsTime = rxpk.tmms.flatMap { milliseconds in
            let (micros, overflow) = milliseconds.multipliedReportingOverflow(by: 1000)
            return overflow ? nil : micros
        }
    }
}
