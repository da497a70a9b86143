// swift-tools-version:6.1
import PackageDescription

// A package of its own: users of the SDK never resolve it, and a target with libFuzzer's main would break `swift test`.
// Build and run it by script/fuzz, which turns on the coverage instrumentation for every module, also the SDK's.

/// libFuzzer brings its own main.
let fuzzing: [SwiftSetting] = [.unsafeFlags(["-parse-as-library"])]

/// One decoder, one program.
func fuzzer(_ name: String) -> Target {
    .executableTarget(
        name: name, dependencies: ["FuzzSupport", .product(name: "SMQBroker", package: "DeviceSDK")],
        swiftSettings: fuzzing)
}

let package = Package(
    name: "Fuzz",
    dependencies: [.package(name: "DeviceSDK", path: "..")],
    targets: [
        .target(name: "FuzzSupport", dependencies: [.product(name: "SMQBroker", package: "DeviceSDK")]),
        fuzzer("fuzz-broker"),
        fuzzer("fuzz-link"),
        fuzzer("fuzz-split"),
        fuzzer("fuzz-client"),
        fuzzer("fuzz-text"),
        fuzzer("fuzz-lora"),
        fuzzer("fuzz-downlink"),
    ],
    swiftLanguageModes: [.v6]
)
