import DeviceCore
import DeviceProtocols

/// A LoRaWAN 1.0 device of class A or C, without I/O: it has one next step at a known time, and hears frames between.
///
/// It joins, sends at intervals, opens its two windows, and counts what its network sends. It does not carry out MAC
/// commands.
struct VirtualDevice {
    private enum Phase {
        /// The next step is to send.
        case idle
        /// The next step is the end of the frame on the air.
        case sending(DeviceTransmission, dataRate: UInt8)
        /// The next step is the end of the windows.
        case listening
    }

    private enum Waiting {
        case nothing
        case acknowledgement(LoRaWANData, repetitions: Int)
    }

    let settings: VirtualDeviceSettings
    private(set) var state: VirtualDeviceState
    /// When the next step is due, in microseconds of the world.
    private(set) var wakeAt: UInt64
    /// Whether a frame is on the air that it hears.
    var isReceiving = false

    private let security: LoRaWANSecurity
    private var region: Region { settings.region }
    private var phase = Phase.idle
    private var windows: [DeviceWindow] = []
    private var waiting = Waiting.nothing
    private var keys: LoRaWANSessionKeys?
    private var channels: [RadioFrequency]
    private var uplinkCounter: UInt32 = 0
    private var downlinkCounter: UInt32 = 0
    private var devNonce: UInt16
    private var rx1Offset: UInt8 = 0
    private var rx2DataRate: UInt8
    private var rxDelay: UInt64 = 1_000_000
    private var owesAcknowledgement = false
    private var lastPayload: [UInt8] = []
    private var mayNotSendBefore: UInt64 = 0
    /// When it last sent something new.
    private var lastNewAt: UInt64 = 0

    init(_ settings: VirtualDeviceSettings, crypto: any Crypto, random: inout SplitMix64) {
        self.settings = settings
        security = LoRaWANSecurity(crypto)
        state = VirtualDeviceState(settings.device)
        channels = settings.channels
        rx2DataRate = settings.region.rx2DataRate
        devNonce = UInt16.random(in: .min ... .max, using: &random)
        let interval = Self.microseconds(settings.interval)
        wakeAt = settings.begin.map(Self.microseconds) ?? UInt64.random(in: 0...interval, using: &random)
        if case .personalized(let address, let keys) = settings.device.activation {
            state.devAddr = address
            self.keys = keys
        }
    }

    private static func microseconds(_ duration: Duration) -> UInt64 {
        UInt64(max(0, duration.wholeNanoseconds) / 1000)
    }

    /// Takes the fastest spreading factor for a loss on the way, unless one was given.
    mutating func chooseSpreadingFactor(loss: Double, link: RadioLink) {
        let ratio = settings.power - loss - link.noise(bandwidth: 125_000)
        let factors = (UInt8(7)...12).filter { dataRate($0) != nil }
        let fastest = factors.first { ratio >= RadioLink.requiredSNR(Self.modulation($0)) + 5 }
        state.spreadingFactor = settings.spreadingFactor ?? fastest ?? factors.last ?? 7
    }

    private static func modulation(_ factor: UInt8) -> LoRaModulation {
        .lora(LoRaDataRate(spreadingFactor: factor, bandwidth: 125))
    }

    /// The number of a spreading factor in the region; nil where devices do not use it.
    private func dataRate(_ factor: UInt8) -> UInt8? { region.dataRate(Self.modulation(factor), .up) }

    // MARK: Steps

    /// The step that was due.
    ///
    /// - Returns: a frame that it puts on the air now.
    mutating func step(at now: UInt64, random: inout SplitMix64) -> DeviceTransmission? {
        switch phase {
        case .idle:
            guard now >= mayNotSendBefore else {
                wakeAt = mayNotSendBefore
                return nil
            }
            return send(at: now, random: &random)
        case .sending(let transmission, let dataRate):
            openWindows(after: transmission, dataRate, at: now)
            return nil
        case .listening:
            // The frame's end brings the next step.
            if isReceiving { wakeAt = now + 1_000_000 } else { conclude(at: now, random: &random) }
            return nil
        }
    }

    private mutating func send(at now: UInt64, random: inout SplitMix64) -> DeviceTransmission? {
        guard let dataRate = dataRate(state.spreadingFactor), let payload = nextFrame(at: now, random: &random),
            let channel = channels.randomElement(using: &random)
        else {
            wakeAt = now + Self.microseconds(.seconds(60))
            return nil
        }
        let modulation = Self.modulation(state.spreadingFactor)
        let duration = TimeOnAir.microseconds(bytes: payload.count, modulation: modulation)
        let transmission = DeviceTransmission(
            frequency: channel, modulation: modulation, power: settings.power, payload: payload, duration: duration)
        phase = .sending(transmission, dataRate: dataRate)
        windows = []
        wakeAt = now + duration
        if settings.keepsDutyCycle, let band = region.bandIndex(of: channel),
            let thousandths = region.bands[band].dutyCycle  // safe: its own index
        {
            mayNotSendBefore = now + duration * 1000 / UInt64(max(1, thousandths))
        }
        return transmission
    }

    private mutating func openWindows(after transmission: DeviceTransmission, _ dataRate: UInt8, at now: UInt64) {
        phase = .listening
        let delay = keys == nil ? Region.joinAcceptDelay : rxDelay
        if let rate = region.rx1DataRate(uplink: dataRate, offset: keys == nil ? 0 : rx1Offset),
            let modulation = region.modulation(rate),
            let frequency = region.rx1Frequency(uplink: transmission.frequency)
        {
            windows.append(DeviceWindow(.first, at: now + delay, frequency: frequency, modulation: modulation))
        }
        if let modulation = region.modulation(rx2DataRate) {
            windows.append(
                DeviceWindow(
                    .second, at: now + delay + 1_000_000, frequency: region.rx2Frequency, modulation: modulation))
        }
        wakeAt = windows.map(\.closes).max() ?? now
    }

    /// The windows are over: it sends again, or plans its next frame.
    private mutating func conclude(at now: UInt64, random: inout SplitMix64) {
        phase = .idle
        windows = []
        if keys == nil {
            // Alone devices would ask in step for ever.
            wakeAt = now + UInt64.random(in: 2_000_000...12_000_000, using: &random)
            return
        }
        if case .acknowledgement(let frame, let repetitions) = waiting {
            if repetitions < settings.repetitions {
                waiting = .acknowledgement(frame, repetitions: repetitions)
                // ACK_TIMEOUT: 2 s, one more or less.
                wakeAt = now + UInt64.random(in: 1_000_000...3_000_000, using: &random)
                return
            }
            state.unacknowledged += 1
            waiting = .nothing
        }
        planNext(at: now, random: &random)
    }

    private mutating func planNext(at now: UInt64, random: inout SplitMix64) {
        let interval = Self.microseconds(settings.interval)
        let next = lastNewAt + interval - interval / 10 + UInt64.random(in: 0...max(1, interval / 5), using: &random)
        wakeAt = max(now, next)
    }

    // MARK: Frames up

    /// The bytes of the next frame; nil when the crypto library refuses.
    private mutating func nextFrame(at now: UInt64, random: inout SplitMix64) -> [UInt8]? {
        guard let keys, let address = state.devAddr else { return joinRequest() }
        if case .acknowledgement(let frame, let repetitions) = waiting, uplinkCounter > 0 {
            waiting = .acknowledgement(frame, repetitions: repetitions + 1)
            state.repetitions += 1
            return frame.bytes
        }
        let isConfirmed = Double.random(in: 0..<1, using: &random) < settings.confirmedShare
        let number = uplinkCounter
        var payload = (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(24 - 8 * $0)) }
        let filling = min(max(settings.payloadLength, 4), 200) - 4
        payload += (0..<filling).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let frame = LoRaWANData(
            isConfirmed ? .confirmedUp : .unconfirmedUp, devAddr: address,
            control: owesAcknowledgement ? .ack : [], fCnt: 0, port: settings.port, payload: payload)
        guard let sealed = try? security.seal(frame, fCnt: number, keys: keys) else { return nil }
        owesAcknowledgement = false
        uplinkCounter &+= 1
        lastNewAt = now
        lastPayload = payload
        state.uplinks += 1
        if isConfirmed {
            state.confirmedUplinks += 1
            waiting = .acknowledgement(sealed, repetitions: 0)
        }
        return sealed.bytes
    }

    private mutating func joinRequest() -> [UInt8]? {
        guard case .overTheAir(let key) = settings.device.activation else { return nil }
        devNonce &+= 1
        var request = LoRaWANJoinRequest(
            joinEUI: settings.device.joinEUI, devEUI: settings.device.devEUI, devNonce: devNonce)
        guard let mic = try? security.mic(ofJoin: request, key: key) else { return nil }
        request.mic = mic
        state.joinRequests += 1
        return request.bytes
    }

    // MARK: Frames down

    /// The window in which it hears a frame that begins now, if it does.
    func window(for downlink: RadioDownlink, start: UInt64) -> DeviceWindow? {
        if case .sending = phase { return nil }
        if let window = windows.first(where: { $0.hears(downlink, start: start) }) { return window }
        guard settings.device.deviceClass == .c, keys != nil, let modulation = region.modulation(rx2DataRate) else {
            return nil
        }
        let always = DeviceWindow(continuous: region.rx2Frequency, modulation)
        return always.hears(downlink, start: start) ? always : nil
    }

    /// A frame that began in a window is over.
    ///
    /// - Parameter payload: nil when it was too weak to be read.
    mutating func receive(
        _ payload: [UInt8]?, in window: DeviceWindow, at now: UInt64, random: inout SplitMix64
    ) {
        guard let payload else {
            state.tooWeak += 1
            return
        }
        let isForUs: Bool
        switch try? LoRaWANFrame(payload) {
        case .joinAccept(let enciphered): isForUs = keys == nil && join(enciphered)
        case .data(let data): isForUs = take(data, in: window)
        default:
            state.foreign += 1
            isForUs = false
        }
        // One frame is all that the windows are for.
        guard isForUs, case .listening = phase, window.kind != .continuous else { return }
        conclude(at: now, random: &random)
    }

    private mutating func join(_ enciphered: [UInt8]) -> Bool {
        guard case .overTheAir(let key) = settings.device.activation,
            let opened = try? security.openJoinAccept(enciphered, key: key),
            let session = try? security.sessionKeys(
                key: key, joinNonce: opened.joinNonce, netID: opened.netID, devNonce: devNonce)
        else {
            state.wrongMIC += 1
            return false
        }
        keys = session
        state.devAddr = opened.devAddr
        state.joinAccepts += 1
        uplinkCounter = 0
        downlinkCounter = 0
        rx1Offset = opened.rx1DataRateOffset
        rx2DataRate = opened.rx2DataRate
        rxDelay = UInt64(max(1, opened.rxDelay)) * 1_000_000
        channels = settings.channels + opened.channels
        return true
    }

    private mutating func take(_ data: LoRaWANData, in window: DeviceWindow) -> Bool {
        guard let keys, data.devAddr == state.devAddr, data.type.direction == .down else {
            state.foreign += 1
            return false
        }
        let counter = data.fullCounter(from: downlinkCounter)
        guard let opened = try? security.open(data, fCnt: counter, keys: keys) else {
            state.wrongMIC += 1
            return false
        }
        downlinkCounter = counter &+ 1
        switch window.kind {
        case .first: state.downlinksRX1 += 1
        case .second: state.downlinksRX2 += 1
        case .continuous: state.downlinksClassC += 1
        }
        if data.control.contains(.ack), case .acknowledgement = waiting {
            state.acknowledgements += 1
            waiting = .nothing
        }
        if data.type == .confirmedDown { owesAcknowledgement = true }
        if !opened.options.isEmpty || opened.port == 0 { state.macCommands += 1 }
        if !opened.payload.isEmpty, opened.payload == lastPayload { state.echoes += 1 }
        return true
    }
}
