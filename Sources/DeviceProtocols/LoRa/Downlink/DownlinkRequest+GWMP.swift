extension DownlinkRequest {
    /// The request in a PULL_RESP. What it leaves out is as in Semtech's forwarder: preambles of 8 symbols (LoRa) and 5
    /// bytes (FSK), a deviation of 25 kHz.
    public init(_ txpk: GWMPTxpk, id: UInt64) {
        let timing: Timing =
            switch txpk.timing {
            case .immediately: .immediately
            case .counter(let counter): .counter(counter)
            // Milliseconds that do not fit are further ahead than anything may be.
            case .gps(let milliseconds):
                .gps(
                    microseconds: milliseconds.multipliedReportingOverflow(by: 1000).overflow
                        ? .max : milliseconds * 1000)
            }
        let isFSK: Bool
        if case .fsk = txpk.modulation { isFSK = true } else { isFSK = false }
        self.init(
            id: id, timing: timing, eirp: txpk.powe,
            frame: RadioDownlink(
                count: nil, frequency: txpk.freq, modulation: txpk.modulation, codingRate: txpk.codr ?? .fourFifths,
                power: 0, invertsPolarity: txpk.ipol, preamble: txpk.prea ?? (isFSK ? 5 : 8), hasCRC: !txpk.ncrc,
                isImplicitHeader: txpk.nhdr, frequencyDeviation: txpk.fdev ?? 25_000, rfChain: txpk.rfch,
                payload: txpk.payload))
    }
}

extension GWMPTxpkAck {
    /// The answer to a PULL_RESP that cannot be read: a frequency outside of all ranges is TX_FREQ, all else UNKNOWN.
    public init(refusing error: GWMPError) {
        let field =
            switch error {
            case .outOfRange(let field), .missing(let field), .wrongKind(let field, _): field
            default: ""
            }
        self.init(error: field == "txpk.freq" || field == "txpk.rfch" ? .txFreq : .unknown)
    }
}
