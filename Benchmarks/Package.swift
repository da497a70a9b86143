// swift-tools-version:6.1
import PackageDescription

// A package of its own, so that users of the SDK never resolve it. smq-bench depends on nothing, not even on the SDK:
// what measures a broker shares no code with it, builds in seconds, and measures any other SMQ broker in the same way.
// outbox-bench measures the outbox beside SQLite; it takes the two modules as they are, by symbolic links, which spares
// it all of the SDK's dependencies.
let package = Package(
    name: "Benchmarks",
    targets: [
        .target(name: "CEpoll"),
        .executableTarget(name: "smq-bench", dependencies: ["CEpoll"]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .target(name: "DeviceCore", swiftSettings: [.enableUpcomingFeature("InternalImportsByDefault")]),
        .target(
            name: "Outbox", dependencies: ["DeviceCore"],
            swiftSettings: [.enableUpcomingFeature("InternalImportsByDefault")]),
        .executableTarget(name: "outbox-bench", dependencies: ["CSQLite", "DeviceCore", "Outbox"]),
    ],
    swiftLanguageModes: [.v6]
)
