import DeviceCore

/// The libraries that every app has: `ba`, `xedge` and `serpent`.
enum LuaRuntime {
    static let libraries = [ba, xedge, LuaSerpent.library]

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
            "openio": .function(LuaDirectory.open),
            "mkio": .function(LuaDirectory.make),
            "io": .function { call in
                guard call.context.files.root != nil else { return .value(.table(LuaTable())) }
                let home = LuaValue.object(try call.context.add(LuaDirectory(call.context.files, "")))
                return .value(.table(LuaTable(named: [("home", home), ("disk", home)])))
            },
            "sharkclient": .function(LuaShark.makeClient),
            "create": .library(create),
            "seterrh": .function(LuaEvents.setErrorHandler),
            "mac": .function { _ in
                guard let mac = HardwareAddress.find() else {
                    return .failure("this machine has no network card with an address")
                }
                return .value(.bytes(mac))
            },
        ].merging(LuaBytes.members) { own, _ in own }
            .merging(LuaStubs.ba.mapValues { sentence in LuaMember.function { _ in .failure(sentence) } }) { own, _ in
                own
            })

    /// `ba.create`: what does not need the vendor's web server.
    private static let create = LuaLibrary(
        "create",
        members: [
            "certstore": .function(LuaCertificateStore.make),
            "key": .function(LuaCrypto.makeKey),
            "sharkcert": .function(LuaCertificate.make),
            "sharkssl": .function(LuaShark.make),
        ].merging(LuaStubs.create.mapValues { sentence in LuaMember.function { _ in .failure(sentence) } }) { own, _ in
            own
        })

    private static let xedge = LuaLibrary(
        "xedge",
        members: [
            "event": .function(LuaEvents.event),
            "log": .builtIn(.log),
            "elog": .builtIn(.errorLog),
            "eflush": .function { _ in .nothing },
            // Modules of an app are found without it; scripts for both of the vendor's servers call it.
            "createloader": .function { _ in .success },
            "sendErr": .function(LuaEvents.sendError),
            "sendmail": .function { _ in .failure("there is no mail on this host") },
        ])
}
