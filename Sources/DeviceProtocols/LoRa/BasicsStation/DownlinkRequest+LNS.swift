extension DownlinkRequest {
    /// The radio that a server's times are for.
    public struct Station: Sendable {
        /// What the server told the gateway.
        public var config: LNSRouterConfig
        /// The radio's session in ``LNSTime``.
        public var session: UInt8
        /// The RF chain that sends.
        public var rfChain: UInt8
        /// The radio's clock.
        public var now: UInt64

        /// Makes a description.
        public init(config: LNSRouterConfig, session: UInt8, rfChain: UInt8 = 0, now: UInt64) {
            self.config = config
            self.session = session
            self.rfChain = rfChain
            self.now = now
        }
    }

    /// What a `dnmsg` asks for: requests to try in their order until the queue accepts one.
    ///
    /// Class A: the first window, then the second, a second later. Class B: the ping slot. Class C: the first window
    /// where there is an uplink to count from, then the second window's settings at once. A server that has chosen a
    /// window of its own says only that one, and it is not improved upon.
    ///
    /// Throws when not even one can be made: an unknown data rate, a time of another session, no window.
    public static func requests(
        _ message: LNSDownlink, id: UInt64, station: Station
    ) throws(LNSError) -> [DownlinkRequest] {
        let isStale = message.xtime.map { $0.count(session: station.session, now: station.now) == nil } ?? false
        let uplink = message.xtime?.count(session: station.session, now: station.now)
        var requests: [DownlinkRequest] = []
        func add(_ window: LNSDownlink.Window?, _ timing: Timing?) throws(LNSError) {
            guard let window, let timing else { return }
            requests.append(
                DownlinkRequest(
                    id: id, timing: timing, eirp: station.eirp,
                    frame: try station.frame(
                        window, message.pdu, preamble: message.preamble, addsCRC: message.addsCRC)))
        }
        let first = uplink.map { Timing.count($0.addingClamped(UInt64(message.rxDelay) * 1_000_000)) }
        let second = uplink.map { Timing.count($0.addingClamped(UInt64(message.rxDelay) * 1_000_000 + 1_000_000)) }
        switch message.deviceClass {
        case .a:
            try add(message.rx1, first)
            try add(message.rx2, second)
        case .b:
            try add(message.rx1, message.gpstime.map { .gps(microseconds: $0) })
        case .c:
            try add(message.rx1, first)
            try add(message.rx2, .immediately)
        }
        if requests.isEmpty {
            if isStale { throw .staleTime }
            throw .field(.missing(message.deviceClass == .b ? "dnmsg.gpstime" : "dnmsg.xtime"))
        }
        return requests
    }

    /// What an element of a `dnsched` asks for.
    public init(_ scheduled: LNSScheduled, id: UInt64, station: Station) throws(LNSError) {
        let timing: Timing
        switch scheduled.timing {
        case .gps(let microseconds): timing = .gps(microseconds: microseconds)
        case .xtime(let time):
            guard let count = time.count(session: station.session, now: station.now) else { throw .staleTime }
            timing = .count(count)
        }
        self.init(
            id: id, timing: timing, eirp: station.eirp,
            frame: try station.frame(
                scheduled.window, scheduled.pdu, preamble: scheduled.preamble, addsCRC: scheduled.addsCRC))
    }
}

extension DownlinkRequest.Station {
    /// What the server allows to radiate, if it says so.
    fileprivate var eirp: Int8? { config.maximumEIRP.map { Int8(min(max($0, -100), 100)) } }

    fileprivate func frame(
        _ window: LNSDownlink.Window, _ pdu: [UInt8], preamble: UInt16?, addsCRC: Bool
    ) throws(LNSError) -> RadioDownlink {
        guard let modulation = config.modulation(window.dataRate) else { throw .field(.outOfRange("dnmsg.DR")) }
        guard config.frequencyRange.contains(window.frequency) else { throw .field(.outOfRange("dnmsg.Freq")) }
        var standard: UInt16 = 8
        if case .fsk = modulation { standard = 5 }
        return RadioDownlink(
            count: nil, frequency: window.frequency, modulation: modulation, power: 0,
            preamble: preamble.flatMap { $0 == 0 ? nil : $0 } ?? standard, hasCRC: addsCRC, rfChain: rfChain,
            payload: pdu)
    }
}
