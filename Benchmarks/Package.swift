// swift-tools-version:6.1
import PackageDescription

// A package of its own, so that users of the SDK never resolve it. It depends on nothing, not even on the SDK: what
// measures a broker shares no code with it, builds in seconds, and measures any other SMQ broker in the same way.
let package = Package(
    name: "Benchmarks",
    targets: [
        .target(name: "CEpoll"),
        .executableTarget(name: "smq-bench", dependencies: ["CEpoll"]),
    ],
    swiftLanguageModes: [.v6]
)
