import DeviceCore

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
            "json": .library(LuaJSON.library),
            "datetime": .function(LuaDateTime.make),
            "socket": .library(LuaSocket.library),
            "clock": .function { call in
                call.push(call.context.now.nanoseconds / 1_000_000)
                return .pushed
            },
            // As of the vendor's server whose functions these are.
            "version": .function { _ in .value(.integer(5746)) },
            "openio": .function { call in
                guard call.context.files.root != nil else { return .value(.nil) }
                return .value(.object(try call.context.add(LuaDirectory(call.context.files, ""))))
            },
            "sharkclient": .function { _ in .failure("TLS of scripts is not there yet: use smq.client") },
        ].merging(LuaBytes.members) { own, _ in own })

    private static let xedge = LuaLibrary(
        "xedge",
        members: [
            "event": .function(LuaEvents.event),
            "log": .builtIn(.log),
            "elog": .builtIn(.errorLog),
            "eflush": .function { _ in .nothing },
            "sendErr": .function(LuaEvents.sendError),
            "sendmail": .function { _ in .failure("there is no mail on this host") },
        ])
}
