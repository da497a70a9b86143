public import DeviceCore
public import DeviceProtocols

/// A virtual concentrator, virtual devices and the air between them, without I/O: time comes in, frames come out.
///
/// Times are microseconds of the world, which begins at 0. ``VirtualConcentrator`` runs a world on a clock; a test that
/// wants days in a second calls ``advance(to:)`` itself.
public struct LoRaWorld {
    private enum Event {
        case lock(UInt64)
        case end(UInt64)
        case ghost
        case device(Int)
        case transmitBegin(chain: UInt8, number: UInt64)
        case transmitEnd(chain: UInt8, number: UInt64)
    }

    private struct Place {
        var device: VirtualDevice
        /// Loss on the way to the concentrator, with shadowing, in dB.
        var loss: Double
        /// What a frame on the air is to this device, while it is.
        var reception: (chain: UInt8, number: UInt64, window: DeviceWindow)?
        /// When the next step is due, so that a step that has become useless is none.
        var dueAt: UInt64?
    }

    /// Ghosts and frames of devices are numbered from here.
    private var frameNumber: UInt64 = 0
    private let settings: VirtualConcentratorSettings
    private var queue = EventQueue<Event>()
    private var random: SplitMix64
    private var receiver: VirtualReceiver
    private var transmitter = VirtualTransmitter()
    private var places: [Place] = []
    private var plan: RadioPlan?
    private var heard: [RadioUplink] = []
    /// Frames that nobody took in time.
    private var dropped: UInt64 = 0
    /// The devices that hear what is on the air.
    private var listeners: [Int] = []
    private var faults: Set<VirtualFault> = []
    private var failingStarts = 0
    private var starts: UInt64 = 0
    private var faultCount: UInt64 = 0
    /// World time at which the concentrator's clock had ``counterBase``.
    private var startedAt: UInt64 = 0
    private var counterBase: UInt64
    private var stoppedAt: UInt64?

    /// The world's time in microseconds.
    public private(set) var now: UInt64 = 0

    /// A world in which devices begin to live at time 0 and the concentrator is off.
    public init(_ settings: VirtualConcentratorSettings, devices: [VirtualDeviceSettings], crypto: any Crypto) {
        self.settings = settings
        random = SplitMix64(seed: settings.seed)
        counterBase = settings.counterStart
        receiver = VirtualReceiver(demodulators: settings.demodulators, link: settings.link)
        for device in devices {
            let loss = settings.link.loss(metres: device.distance) + settings.link.shadowing * random.gaussian()
            add(VirtualDevice(device, crypto: crypto, random: &random), loss: max(0, loss - settings.antennaGain))
        }
        if settings.ghostsPerHour > 0 { queue.add(.ghost, at: timeToGhost()) }
    }

    private mutating func add(_ device: VirtualDevice, loss: Double) {
        var device = device
        device.chooseSpreadingFactor(loss: loss, link: settings.link)
        places.append(Place(device: device, loss: loss, dueAt: device.wakeAt))
        queue.add(.device(places.count - 1), at: device.wakeAt)
    }

    // MARK: Time

    /// When something happens next; nil in a world where nothing does.
    public var nextEvent: UInt64? { queue.nextTime }

    /// Lets everything happen that happens until then. A time that has passed changes nothing.
    public mutating func advance(to time: UInt64) {
        while let (due, event) = queue.popFirst(until: time) {
            now = max(now, due)
            handle(event)
        }
        now = max(now, time)
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .lock(let number): receiver.lock(number)
        case .end(let number):
            guard var uplink = receiver.end(number, random: &random) else { return }
            uplink.receivedAt = .zero + .microseconds(Int64(clamping: now))
            if let start = settings.gpsTime {
                let time = start &+ uplink.count
                uplink.gpsTime = time
                // GPS time began on 1980-01-06 and has been 18 s ahead since 2017.
                uplink.time = UTCTime(microseconds: Int64(clamping: time) &+ (315_964_800 - 18) * 1_000_000)
            }
            uplink.count = counter(at: uplink.count)
            heard.append(uplink)
            if heard.count > max(1, settings.uplinkLimit) {
                heard.removeFirst()
                dropped += 1
            }
        case .ghost:
            putGhostOnAir()
            queue.add(.ghost, at: now + timeToGhost())
        case .device(let index): wake(index)
        case .transmitBegin(let chain, let number): beginTransmission(chain, number)
        case .transmitEnd(let chain, let number): endTransmission(chain, number)
        }
    }

    // MARK: The concentrator

    /// The concentrator's clock.
    public var counter: UInt64 { counter(at: stoppedAt ?? now) }

    /// The concentrator's clock at a time to which the world has perhaps not come yet.
    func counter(ifNow time: UInt64) -> UInt64 { counter(at: stoppedAt ?? max(now, time)) }

    private func counter(at time: UInt64) -> UInt64 { counterBase &+ (time >= startedAt ? time - startedAt : 0) }

    /// Begins to hear, after ``stop()``; throws what ``VirtualFault/failingStarts(_:)`` asked for.
    public mutating func start(_ plan: RadioPlan) throws(DeviceError) {
        stop()
        if failingStarts > 0 {
            failingStarts -= 1
            faultCount += 1
            throw DeviceError(
                .io, "the virtual concentrator does not start, as it was told to", hint: "Start it once more")
        }
        faults = []
        counterBase = starts == 0 ? settings.counterStart : 0
        startedAt = now
        stoppedAt = nil
        starts += 1
        self.plan = plan
        transmitter.start(plan)
        receiver.listen(plan, at: now)
    }

    /// Ends hearing and sending.
    public mutating func stop() {
        guard plan != nil else { return }
        plan = nil
        stoppedAt = stoppedAt ?? now
        transmitter.stop()
        forgetReceptions()
        receiver.fallSilent(.stopped)
    }

    /// Makes something go wrong.
    public mutating func inject(_ fault: VirtualFault) {
        switch fault {
        case .failingStarts(let times): failingStarts = max(0, times)
        case .deaf: receiver.fallSilent(.deaf)
        case .stoppedClock:
            receiver.fallSilent(.deaf)
            stoppedAt = stoppedAt ?? now
        case .failingTransmits: break
        }
        faults.insert(fault)
    }

    /// Takes what was heard since the last call, oldest first (of more than ``VirtualConcentratorSettings/uplinkLimit``
    /// the newest; the others are counted as lost); counts are those of the concentrator's clock, and
    /// `receivedAt` is the world's time.
    public mutating func takeUplinks() -> [RadioUplink] {
        defer { heard.removeAll(keepingCapacity: true) }
        return heard
    }

    /// Hands over a frame to send: see ``Radio/transmit(_:)``.
    public mutating func transmit(_ downlink: RadioDownlink) throws(DeviceError) {
        guard plan != nil else {
            throw DeviceError(.closed, "the virtual concentrator is stopped", hint: "Start it first")
        }
        guard !faults.contains(.failingTransmits) else {
            faultCount += 1
            throw DeviceError(.io, "the virtual concentrator does not send, as it was told to")
        }
        var start: UInt64?
        if let count = downlink.count {
            let (time, overflow) = (count &- counterBase).addingReportingOverflow(startedAt)
            start = count < counterBase ? 0 : overflow ? .max : time
        }
        guard let frame = try transmitter.take(downlink, start: start, at: now) else { return }
        queue.add(.transmitBegin(chain: downlink.rfChain, number: frame.number), at: frame.start)
    }

    /// What an RF chain does now.
    public func transmitStatus(rfChain: UInt8) -> RadioTransmitStatus { transmitter.status(rfChain) }

    /// Takes back what waits or is on the air.
    public mutating func abortTransmit(rfChain: UInt8) {
        guard transmitter.abort(rfChain) else { return }
        forgetReceptions(of: rfChain)
        hearAgain()
    }

    /// A frame that was cut off is none.
    private mutating func forgetReceptions(of chain: UInt8? = nil) {
        listeners.removeAll { index in
            guard chain == nil || places[index].reception?.chain == chain else { return false }
            places[index].reception = nil
            places[index].device.isReceiving = false
            return true
        }
    }

    /// The tie to GPS time, with ``VirtualConcentratorSettings/gpsTime``.
    public var timeReference: RadioTimeReference? {
        settings.gpsTime.map { RadioTimeReference(count: counter, gpsTime: $0 &+ now) }
    }

    private mutating func beginTransmission(_ chain: UInt8, _ number: UInt64) {
        if let downlink = transmitter.waiting(chain, number), let listening = plan?.listenBeforeTalk,
            let channel = listening.channel(at: downlink.frequency),
            receiver.strength(on: channel, until: now) + Double(listening.rssiOffset) >= Double(listening.rssiTarget)
        {
            return transmitter.giveUp(chain)
        }
        guard let frame = transmitter.begin(chain, number) else { return }
        // One antenna: nothing is heard while anything is sent.
        receiver.fallSilent(.sending)
        queue.add(.transmitEnd(chain: chain, number: number), at: frame.end)
        for index in places.indices where places[index].reception == nil {
            if let window = places[index].device.window(for: frame.downlink, start: frame.start) {
                places[index].reception = (chain, number, window)
                places[index].device.isReceiving = true
                listeners.append(index)
            }
        }
    }

    private mutating func endTransmission(_ chain: UInt8, _ number: UInt64) {
        guard let frame = transmitter.end(chain, number) else { return }
        hearAgain()
        let modulation = frame.downlink.modulation
        let noise = settings.link.noise(bandwidth: RadioLink.bandwidth(modulation))
        let hearing = listeners
        listeners = []
        for index in hearing {
            guard let reception = places[index].reception, reception.chain == chain else {
                listeners.append(index)
                continue
            }
            places[index].reception = nil
            places[index].device.isReceiving = false
            let strength = Double(frame.downlink.power) - places[index].loss + settings.link.fading * random.gaussian()
            let isHeard = reception.number == number && strength - noise >= RadioLink.requiredSNR(modulation)
            places[index].device.receive(
                isHeard ? frame.downlink.payload : nil, in: reception.window, at: now, random: &random)
            schedule(index)
        }
    }

    private mutating func hearAgain() {
        guard plan != nil, !transmitter.isEmitting else { return }
        let isDeaf = faults.contains(.deaf) || faults.contains(.stoppedClock)
        if isDeaf { receiver.fallSilent(.deaf) } else { receiver.resume(at: now) }
    }

    // MARK: Devices and ghosts

    private mutating func wake(_ index: Int) {
        guard places.indices.contains(index), places[index].dueAt == now else { return }
        places[index].dueAt = nil
        if let transmission = places[index].device.step(at: now, random: &random) {
            putOnAir(
                AirFrame(
                    number: frameNumber, start: now, frequency: transmission.frequency,
                    modulation: transmission.modulation, codingRate: .fourFifths,
                    strength: transmission.power - places[index].loss + settings.link.fading * random.gaussian(),
                    payload: transmission.payload, duration: transmission.duration))
        }
        schedule(index)
    }

    private mutating func schedule(_ index: Int) {
        let time = max(now, places[index].device.wakeAt)
        guard places[index].dueAt != time else { return }
        places[index].dueAt = time
        queue.add(.device(index), at: time)
    }

    private mutating func putOnAir(_ frame: AirFrame, isGhost: Bool = false) {
        frameNumber += 1
        guard receiver.begin(frame, isGhost: isGhost) else { return }
        queue.add(.lock(frame.number), at: frame.lock)
        queue.add(.end(frame.number), at: frame.end)
    }

    private mutating func timeToGhost() -> UInt64 {
        random.exponential(mean: 3_600_000_000 / max(settings.ghostsPerHour, 1e-6))
    }

    /// What modems make of noise: a frame at the edge of what is readable, often without a coding rate or checksum.
    private mutating func putGhostOnAir() {
        let channels = (plan?.channels ?? []).filter { if case .multiSF = $0.modem { true } else { false } }
        guard let channel = channels.randomElement(using: &random),
            case .multiSF(let factors) = channel.modem, let factor = factors.randomElement(using: &random)
        else { return }
        let modulation = LoRaModulation.lora(LoRaDataRate(spreadingFactor: factor, bandwidth: 125))
        let length = Int.random(in: 1...40, using: &random)
        let payload = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let noise = settings.link.noise(bandwidth: 125_000)
        var frame = AirFrame(
            number: frameNumber, start: now, frequency: channel.frequency, modulation: modulation,
            codingRate: Bool.random(using: &random) ? .off : .fourFifths,
            strength: noise + RadioLink.requiredSNR(modulation) + Double.random(in: 0..<1, using: &random),
            payload: payload, duration: TimeOnAir.microseconds(bytes: length, modulation: modulation))
        frame.crc = frame.codingRate == .off ? .none : .bad
        putOnAir(frame, isGhost: true)
    }

    // MARK: What is known about it

    /// What became of frames on the way up.
    public var airCounters: VirtualAirCounters { receiver.counters }
    /// How long before their time frames were handed over.
    public var handOver: VirtualHandOver { transmitter.handOver }
    /// The radio's own counts.
    public var counters: RadioCounters {
        var counters = RadioCounters()
        counters.received = receiver.counters.heard + receiver.counters.badCRC
        counters.badCRC = receiver.counters.badCRC
        counters.lost = receiver.counters.noDemodulator + dropped
        counters.accepted = transmitter.accepted
        counters.refused = transmitter.refused
        counters.transmitted = transmitter.transmitted
        counters.failed = transmitter.failed
        counters.channelBusy = transmitter.channelBusy
        counters.starts = starts
        counters.faults = faultCount
        return counters
    }
    /// The devices, in the order in which they were given.
    public var devices: [VirtualDeviceState] { places.map(\.device.state) }
    /// Events that wait and frames that are remembered: what has to stay small in a long run.
    public var load: (events: Int, frames: Int) { (queue.count, receiver.trackedCount) }
}
