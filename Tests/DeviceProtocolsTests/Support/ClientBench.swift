import DeviceCore
import DeviceProtocols
import NIOCore

/// A client state machine with what it reported.
struct ClientBench {
    struct Publish: Equatable {
        var destination: UInt32
        var publisher: UInt32
        var subtopic: UInt32
        var payload: String
    }

    var machine: SMQClientStateMachine
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    private(set) var publishes: [Publish] = []
    private(set) var events: [SMQClientStateMachine.Event] = []

    init(_ set: (inout SMQClientStateMachine.Configuration) -> Void = { _ in }) {
        var configuration = SMQClientStateMachine.Configuration(uid: Array("client".utf8))
        set(&configuration)
        machine = SMQClientStateMachine(configuration)
        machine.start(now: now)
    }

    /// A client whose session is open, as 0x1001.
    static func open(_ set: (inout SMQClientStateMachine.Configuration) -> Void = { _ in }) -> ClientBench {
        var bench = ClientBench(set)
        bench.receive(bytes { $0.writeSMQInit(seed: 1, address: "10.0.0.1") })
        bench.machine.sendConnect(credentials: [])
        bench.receive(bytes { $0.writeSMQConnack(.accepted, etid: 0x1001) })
        _ = bench.takeOutput()
        _ = bench.takeEvents()
        return bench
    }

    mutating func receive(_ bytes: ByteBuffer) {
        var publishes: [Publish] = []
        func take(_ destination: UInt32, _ publisher: UInt32, _ subtopic: UInt32, _ payload: ByteBuffer) {
            publishes.append(
                Publish(
                    destination: destination, publisher: publisher, subtopic: subtopic,
                    payload: String(buffer: payload)))
        }
        machine.receive(bytes, now: now, onPublish: take)
        // The machine stops at each event until its owner has seen it.
        var new = machine.takeEvents()
        while !new.isEmpty {
            events += new
            machine.proceed(onPublish: take)
            new = machine.takeEvents()
        }
        self.publishes += publishes
    }

    mutating func tick(after duration: Duration) -> MonotonicTime {
        now = now + duration
        let next = machine.tick(now: now)
        events += machine.takeEvents()
        return next
    }

    mutating func takeOutput() -> ByteBuffer {
        defer { machine.output = ByteBuffer() }
        return machine.output
    }

    mutating func takeEvents() -> [SMQClientStateMachine.Event] {
        defer { events = [] }
        return events
    }

    /// The error with which the session failed.
    var failure: DeviceError? {
        for case .failed(let error) in events { return error }
        return nil
    }

    /// The events in a form that can be compared.
    var story: [String] {
        events.map { event in
            switch event {
            case .credentialsNeeded(let seed, let address): "credentials \(seed) \(address)"
            case .connected(let etid): "connected \(etid)"
            case .acknowledged(let type, let name, let id):
                "\(type) \(String(buffer: name)) \(id.map(String.init) ?? "denied")"
            case .changed(let id, let subscribers): "changed \(id) \(subscribers)"
            case .pong(let number): "pong \(number)"
            case .askedToLeave: "asked to leave"
            case .disconnected(let reason): "disconnected \(reason)"
            case .failed(let error): "failed \(error.code)"
            }
        }
    }
}
