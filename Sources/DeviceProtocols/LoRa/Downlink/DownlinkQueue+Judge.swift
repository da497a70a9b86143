// The checks, in the order of their answers: what can never be sent, what cannot be sent now, what collides.
extension DownlinkQueue {
    func judge(
        _ request: DownlinkRequest, now: UInt64, reference: RadioTimeReference?
    ) throws(DownlinkRefusal) -> (Entry, DownlinkOutcome.Acceptance) {
        var frame = request.frame
        guard chains.indices.contains(Int(frame.rfChain)) else { throw .txChain }
        let chain = settings.plan.rfChains[Int(frame.rfChain)]  // safe: as many as chains
        guard chain.isEnabled, let range = chain.transmitRange else { throw .txChain }
        guard range.contains(frame.frequency) else { throw .txFrequency }
        let band = settings.region?.bandIndex(of: frame.frequency)
        if settings.region != nil, band == nil, !settings.trustsServer { throw .txFrequency }
        try checkModulation(&frame)
        let airtime = TimeOnAir.microseconds(of: frame)
        try checkLength(frame, airtime)
        if let listening = settings.plan.listenBeforeTalk {
            guard let channel = listening.channel(at: frame.frequency) else { throw .txFrequency }
            guard airtime <= channel.longestFrame ?? .max else { throw .dwellTime }
        }
        let eirp = power(&frame, asked: request.eirp, band: band, chain: chain)

        guard chains[Int(frame.rfChain)].count < settings.limit else { throw .queueFull }
        let start = try start(of: request, airtime: airtime, chain: Int(frame.rfChain), now: now, reference: reference)
        frame.count = start
        if let band, !settings.trustsServer,
            !dutyCycle.allows(airtime, band: band, at: dutyTime(start))
        {
            throw .dutyCycle
        }
        let entry = Entry(
            id: request.id, frame: frame, start: start, airtime: airtime, band: band, isBeacon: request.isBeacon)
        return (
            entry,
            DownlinkOutcome.Acceptance(
                count: start, airtime: airtime, eirp: eirp, isPowerChanged: request.eirp.map { $0 != eirp } ?? false)
        )
    }

    /// What the SX1301's and SX1302's modems can send; preambles are lengthened to the shortest that they can.
    private func checkModulation(_ frame: inout RadioDownlink) throws(DownlinkRefusal) {
        guard frame.payload.count <= LoRaWANFrame.maximumLength else { throw .unsupported }
        switch frame.modulation {
        case .lora(let rate):
            guard (5...12).contains(rate.spreadingFactor), [125, 250, 500].contains(rate.bandwidth),
                frame.codingRate != .off
            else { throw .unsupported }
            frame.preamble = max(frame.preamble, 6)
        case .fsk(let bitRate):
            guard (500...250_000).contains(bitRate), (1_000...255_000).contains(frame.frequencyDeviation) else {
                throw .unsupported
            }
            frame.preamble = max(frame.preamble, 3)
        }
    }

    private func checkLength(_ frame: RadioDownlink, _ airtime: UInt64) throws(DownlinkRefusal) {
        guard airtime <= settings.longestFrame else { throw .dwellTime }
        guard !settings.trustsServer, let region = settings.region,
            region.downlinkDwell?.isOptional != true || settings.keepsOptionalDwell,
            let longest = region.longestDownlink(frame.modulation)
        else { return }
        guard airtime <= longest else { throw .dwellTime }
    }

    /// Sets the frame's power to the highest step that is not above what was asked for and allowed, or the lowest there
    /// is; returns what is radiated.
    private func power(_ frame: inout RadioDownlink, asked: Int8?, band: Int?, chain: RadioRFChain) -> Int8 {
        let allowed = band.flatMap { settings.region?.bands[$0].eirp }  // safe: the band comes from there
        var eirp = Int(asked ?? allowed ?? 14)
        if let allowed, !settings.trustsServer { eirp = min(eirp, Int(allowed)) }
        let antenna = settings.antennaGain
        let conducted = eirp - antenna
        let step = chain.gains.last { Int($0.power) <= conducted } ?? chain.gains.first
        frame.power = step?.power ?? Int8(clamping: conducted)
        return Int8(clamping: Int(frame.power) + antenna)
    }

    private func start(
        of request: DownlinkRequest, airtime: UInt64, chain: Int, now: UInt64, reference: RadioTimeReference?
    ) throws(DownlinkRefusal) -> UInt64 {
        switch request.timing {
        case .immediately: return try firstFree(airtime, chain: chain, now: now, reference: reference)
        case .counter(let counter):
            // The nearest time with these low bits, before or after now: 35 minutes either way.
            let distance = Int64(Int32(bitPattern: counter &- UInt32(truncatingIfNeeded: now)))
            guard distance >= 0 else { throw .tooLate }
            return try checked(now.addingClamped(UInt64(distance)), airtime, chain, now, reference, isClassB: false)
        case .count(let count): return try checked(count, airtime, chain, now, reference, isClassB: false)
        case .gps(let time):
            guard let reference else { throw .gpsUnlocked }
            guard let count = reference.count(atGPSTime: time) else { throw .tooLate }
            return try checked(count, airtime, chain, now, reference, isClassB: true)
        case .beacon(let time):
            guard let reference else { throw .gpsUnlocked }
            guard let count = reference.count(atGPSTime: time) else { throw .tooLate }
            return try checked(count, airtime, chain, now, nil, isClassB: false)
        }
    }

    private func checked(
        _ start: UInt64, _ airtime: UInt64, _ chain: Int, _ now: UInt64, _ reference: RadioTimeReference?,
        isClassB: Bool
    ) throws(DownlinkRefusal) -> UInt64 {
        guard start >= now.addingClamped(settings.shortestNotice) else { throw .tooLate }
        guard start - now <= settings.maximumAdvance else { throw .tooEarly }
        if let other = collision(start, airtime, chain) {
            throw other.isBeacon ? .collisionBeacon : .collisionPacket
        }
        guard beaconEnd(start, airtime, reference, isClassB: isClassB) == nil else { throw .collisionBeacon }
        return start
    }

    /// The first start from now on that nothing stands in the way of.
    private func firstFree(
        _ airtime: UInt64, chain: Int, now: UInt64, reference: RadioTimeReference?
    ) throws(DownlinkRefusal) -> UInt64 {
        var start = now.addingClamped(settings.immediateNotice)
        // Each step passes one frame or beacon for good, so there are not many; the bound is for clocks gone wild.
        for _ in 0..<2 * settings.limit + 16 {
            if let other = collision(start, airtime, chain) {
                start = other.end.addingClamped(settings.turnaround)
            } else if let end = beaconEnd(start, airtime, reference, isClassB: false) {
                start = end
            } else {
                guard start.subtractingClamped(now) <= settings.maximumAdvance else { throw .collisionPacket }
                return start
            }
        }
        throw .collisionPacket
    }

    /// The frame that leaves no room for one with that start, if there is one.
    private func collision(_ start: UInt64, _ airtime: UInt64, _ chain: Int) -> Entry? {
        let end = start.addingClamped(airtime).addingClamped(settings.turnaround)
        return chains[chain].first {
            start < $0.end.addingClamped(settings.turnaround) && $0.start < end
        }
    }

    /// When the beacon is over that such a frame would disturb; nil when there is none.
    ///
    /// Class B keeps guard and reserved time free, class A and C only the beacon itself, as in Semtech's forwarder.
    private func beaconEnd(
        _ start: UInt64, _ airtime: UInt64, _ reference: RadioTimeReference?, isClassB: Bool
    ) -> UInt64? {
        guard let beacons = settings.beacons, beacons.period > 0, let reference,
            let time = reference.gpsTime(atCount: start)
        else { return nil }
        let before = isClassB ? beacons.guardTime : settings.turnaround
        let after = isClassB ? beacons.reserved : beacons.airtime.addingClamped(settings.turnaround)
        let last = time - time % beacons.period
        if time - last < after { return reference.count(atGPSTime: last.addingClamped(after)) }
        let next = last.addingClamped(beacons.period)
        if time.addingClamped(airtime).addingClamped(before) > next {
            return reference.count(atGPSTime: next.addingClamped(after))
        }
        return nil
    }
}
