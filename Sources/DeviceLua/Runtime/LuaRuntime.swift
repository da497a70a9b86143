/// The libraries that every app has: `ba` and `xedge`.
enum LuaRuntime {
    static let libraries = [ba, xedge]

    private static let ba = LuaLibrary(
        "ba",
        members: [
            "timer": .function(LuaTimer.make),
            "sleep": .function(LuaThreads.sleep),
            "thread": .library(LuaThreads.library),
            "bytearray": .builtIn(.bytearray),
        ])

    private static let xedge = LuaLibrary(
        "xedge",
        members: [
            "event": .function(LuaEvents.event),
            "log": .builtIn(.log),
            "elog": .builtIn(.errorLog),
            "eflush": .function { _ in .nothing },
            "sendErr": .function(LuaEvents.sendError),
        ])
}
