import DeviceCore
import DeviceProtocols

/// Reads `SX130x_conf` (also `SX1301_conf`, `SX1302_conf`), and the same shape where a network server sends it in
/// `router_config`. Names are those of Semtech's files.
struct SemtechRadioReader {
    let section: ConfigurationSection

    /// Bandwidths of LoRa, in Hz.
    private static let bandwidths: [UInt32] = [125_000, 250_000, 500_000]

    /// The plan, as far as it can be read; problems are in the section.
    func plan() -> RadioPlan {
        let chains = (0..<2).map { chain($0) }
        var plan = RadioPlan(
            rfChains: chains, channels: [], isPublic: section.flag("lorawan_public") ?? true,
            antennaGain: section.number("antenna_gain", in: -50...50) ?? 0)
        for index in UInt8(0)..<8 { plan.channels += multiSF(index, chains) }
        plan.channels += standard(chains) + fsk(chains)
        plan.listenBeforeTalk = listenBeforeTalk()
        if plan.channels.isEmpty {
            section.problems.add(
                section.path, "no channel is enabled", hint: "Enable chan_multiSF_0 and a radio with \"enable\": true")
        }
        return plan
    }

    /// `lbt` of `sx1261_conf` as files for the SX1302 have it, `lbt_cfg` as those for the SX1301 do; nil where it is off.
    private func listenBeforeTalk() -> ListenBeforeTalk? {
        if let chip = section.section("sx1261_conf"), let lbt = chip.section("lbt") {
            guard lbt.flag("enable") ?? false else { return nil }
            return listenBeforeTalk(
                lbt, rssiOffset: chip.integer("rssi_offset", in: -128...127) ?? 0, channels: "channels", limit: 16)
        }
        guard let lbt = section.section("lbt_cfg"), lbt.flag("enable") ?? false else { return nil }
        return listenBeforeTalk(
            lbt, rssiOffset: lbt.integer("sx127x_rssi_offset", in: -128...127) ?? 0, channels: "chan_cfg", limit: 8)
    }

    private func listenBeforeTalk(
        _ lbt: ConfigurationSection, rssiOffset: Int8, channels: String, limit: Int
    ) -> ListenBeforeTalk? {
        guard let target: Int8 = lbt.integer("rssi_target", in: -128...0) else {
            lbt.problems.add(
                lbt.place("rssi_target"), "listening before talking needs a strength to compare with",
                hint: "Write it in dBm: -80 in Japan, -67 in South Korea")
            return nil
        }
        var listening = ListenBeforeTalk(rssiTarget: target, rssiOffset: rssiOffset)
        for channel in lbt.sections(channels, limit: limit) {
            guard let hertz: UInt32 = channel.integer("freq_hz", in: 1_000_000...4_000_000_000) else {
                lbt.problems.add(channel.place("freq_hz"), "a channel without a frequency", hint: "Write it in Hz")
                continue
            }
            let scan: UInt16 = channel.integer("scan_time_us", in: 0...65535) ?? 5000
            if scan != 128, scan != 5000 {
                lbt.problems.add(
                    channel.place("scan_time_us"), "the chips do not listen for \(scan) microseconds",
                    hint: "Write 128 or 5000")
            }
            let bandwidth: UInt32 = channel.integer("bandwidth", in: 0...500_000) ?? 125_000
            if !Self.bandwidths.contains(bandwidth) {
                lbt.problems.add(
                    channel.place("bandwidth"), "\(bandwidth) Hz is no LoRa bandwidth",
                    hint: "Write 125000, 250000 or 500000")
            }
            let longest: UInt64? = channel.integer("transmit_time_ms", in: 1...65535)
            listening.channels.append(
                ListenBeforeTalk.Channel(
                    frequency: RadioFrequency(hertz: hertz), bandwidth: UInt16(bandwidth / 1000), scanTime: scan,
                    longestFrame: longest.map { $0 * 1000 }))
        }
        return listening
    }

    private func chain(_ number: Int) -> RadioRFChain {
        guard let radio = section.section("radio_\(number)") else {
            return RadioRFChain(isEnabled: false, frequency: RadioFrequency(hertz: 0))
        }
        let isEnabled = radio.flag("enable") ?? false
        let frequency: UInt32 = radio.integer("freq", in: 0...4_000_000_000) ?? 0
        if isEnabled, frequency < 1_000_000 {
            section.problems.add(
                radio.place("freq"), "an enabled radio has no frequency", hint: "Write it in Hz: 867500000")
        }
        var chain = RadioRFChain(
            isEnabled: isEnabled, frequency: RadioFrequency(hertz: frequency),
            rssiOffset: radio.number("rssi_offset", in: -1000...1000) ?? 0, type: radio.string("type") ?? "SX1250")
        guard radio.flag("tx_enable") ?? false else { return chain }
        let low: UInt32 = radio.integer("tx_freq_min", in: 0...4_000_000_000) ?? 0
        let high: UInt32 = radio.integer("tx_freq_max", in: 0...4_000_000_000) ?? 0
        if low < high {
            chain.transmitRange = RadioFrequency(hertz: low)...RadioFrequency(hertz: high)
        } else {
            section.problems.add(
                radio.place("tx_freq_min"), "a radio that sends needs tx_freq_min below tx_freq_max",
                hint: "For EU868 write 863000000 and 870000000")
        }
        chain.gains = gains(radio.sections("tx_gain_lut", limit: 16) + oldGains())
        return chain
    }

    /// `tx_lut_0` to `tx_lut_15`, which files for the SX1301 have beside the radios.
    private func oldGains() -> [ConfigurationSection] { (0..<16).compactMap { section.section("tx_lut_\($0)") } }

    private func gains(_ entries: [ConfigurationSection]) -> [RadioGain] {
        entries.compactMap { entry in
            guard let power: Int8 = entry.integer("rf_power", in: -60...60) else {
                section.problems.add(entry.path, "a step without rf_power", hint: "Write the power in dBm")
                return nil
            }
            return RadioGain(
                power: power, pa: entry.integer("pa_gain", in: 0...3) ?? 0,
                powerIndex: entry.integer("pwr_idx", in: 0...22) ?? 0,
                digital: entry.integer("dig_gain", in: 0...3) ?? 0,
                dac: entry.integer("dac_gain", in: 0...3) ?? 3, mixer: entry.integer("mix_gain", in: 0...15) ?? 0)
        }.sorted { $0.power < $1.power }
    }

    /// The channel's tuner and frequency; nil for one that is off or wrong.
    private func place(_ channel: ConfigurationSection, _ chains: [RadioRFChain]) -> (UInt8, RadioFrequency)? {
        guard channel.flag("enable") ?? false else { return nil }
        let number: UInt8 = channel.integer("radio", in: 0...1) ?? 0
        guard chains.indices.contains(Int(number)), chains[Int(number)].isEnabled else {  // safe: looked up before
            section.problems.add(
                channel.place("radio"), "this channel's radio is off",
                hint: "Enable radio_\(number), or the channel on the other")
            return nil
        }
        let offset: Int64 = channel.integer("if", in: -2_000_000...2_000_000) ?? 0
        let hertz = Int64(chains[Int(number)].frequency.hertz) + offset  // safe: looked up above
        guard let frequency = UInt32(exactly: hertz), frequency > 1_000_000 else { return nil }
        return (number, RadioFrequency(hertz: frequency))
    }

    private func multiSF(_ index: UInt8, _ chains: [RadioRFChain]) -> [RadioChannel] {
        guard let channel = section.section("chan_multiSF_\(index)"), let (radio, frequency) = place(channel, chains)
        else { return [] }
        return [
            RadioChannel(
                ifChain: index, rfChain: radio, frequency: frequency,
                modem: .multiSF(spreadingFactors: spreadingFactors))
        ]
    }

    /// `chan_multiSF_All`, which only files for the SX1302 have.
    private var spreadingFactors: ClosedRange<UInt8> {
        let numbers = section.section("chan_multiSF_All")?.value("spreading_factor_enable")?.arrayValue ?? []
        let factors = numbers.compactMap(\.integerValue).compactMap { UInt8(exactly: $0) }.filter {
            (5...12).contains($0)
        }
        guard let low = factors.min(), let high = factors.max() else { return 7...12 }
        return low...high
    }

    private func standard(_ chains: [RadioRFChain]) -> [RadioChannel] {
        guard let channel = section.section("chan_Lora_std"), let (radio, frequency) = place(channel, chains) else {
            return []
        }
        let bandwidth: UInt32 = channel.integer("bandwidth", in: 0...500_000) ?? 250_000
        guard Self.bandwidths.contains(bandwidth) else {
            section.problems.add(
                channel.place("bandwidth"), "\(bandwidth) Hz is no LoRa bandwidth",
                hint: "Write 125000, 250000 or 500000")
            return []
        }
        let factor: UInt8 = channel.integer("spread_factor", in: 5...12) ?? 7
        let rate = LoRaDataRate(spreadingFactor: factor, bandwidth: UInt16(bandwidth / 1000))
        return [RadioChannel(ifChain: 8, rfChain: radio, frequency: frequency, modem: .lora(rate))]
    }

    private func fsk(_ chains: [RadioRFChain]) -> [RadioChannel] {
        guard let channel = section.section("chan_FSK"), let (radio, frequency) = place(channel, chains) else {
            return []
        }
        let bitRate: UInt32 = channel.integer("datarate", in: 500...250_000) ?? 50_000
        let bandwidth: UInt32 = channel.integer("bandwidth", in: 0...500_000) ?? 125_000
        return [
            RadioChannel(
                ifChain: 9, rfChain: radio, frequency: frequency,
                modem: .fsk(bitRate: bitRate, bandwidth: UInt16(bandwidth / 1000)))
        ]
    }
}
