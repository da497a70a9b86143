import DeviceCore

/// `ba.sleep` and `ba.thread`: a thread of Xedge32's is a coroutine here, which the app's one thread runs.
enum LuaThreads {
    static let sleep: LuaBody = { call in
        let milliseconds = try call.integer(0, in: 0...1 << 40, "the time")
        let context = call.context
        return try call.wait { waiter in
            // A loop of sleeps that are none would have the processor for itself.
            let id = context.schedule(at: context.now + .milliseconds(max(1, milliseconds))) {
                $0.resume(waiter.token, [])
            }
            return { context.unschedule(id) }
        }
    }

    static let library = LuaLibrary(
        "thread",
        members: [
            "run": .function { call in
                let limit = call.context.app.configuration.limits.activations
                guard call.context.pendingStarts < limit else { throw LuaError("too many threads (at most \(limit))") }
                call.context.start(.function(try call.function(0)), activity: "thread")
                return .success
            },
            "create": .function { call in .value(.object(try call.context.add(LuaThreadQueue()))) },
        ])
}

/// `ba.thread.create()`: functions run one after the other.
final class LuaThreadQueue: LuaResource {
    static let luaClass = LuaClass(
        "thread",
        methods: [
            "run": { call in
                let queue: LuaThreadQueue = try call.resource(0)
                guard queue.waiting.count < maximumWaiting else {
                    throw LuaError("too many functions wait for the thread (at most \(maximumWaiting))")
                }
                queue.waiting.append(try call.function(1))
                queue.next(call.context)
                return .success
            },
            "close": { call in
                try call.close()
                return .nothing
            },
        ])

    private static let maximumWaiting = 64
    private var waiting: [LuaFunction] = []
    private var isBusy = false

    private func next(_ context: LuaContext) {
        guard !isBusy, !waiting.isEmpty else { return }
        isBusy = true
        context.start(.function(waiting.removeFirst()), activity: "thread") { context, _ in
            self.isBusy = false
            self.next(context)
        }
    }

    func close(in context: LuaContext) { waiting = [] }
}
