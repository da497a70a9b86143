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

/// What the gateway reads, out of its program's sources (links): a program cannot be imported. They use what the SDK's
/// modules keep to their package, whose name is its directory's.
let sdk = Context.packageDirectory.split(separator: "/").dropLast().last ?? "devicesdk"
let sdkName = String(sdk.lowercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
let gatewayFiles: Target = .target(
    name: "GatewayFiles",
    dependencies: [
        .product(name: "SMQBroker", package: "DeviceSDK"), .product(name: "DeviceLua", package: "DeviceSDK"),
    ],
    // Else SwiftPM's own -package-name comes last and counts.
    packageAccess: false,
    swiftSettings: [
        .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
        .unsafeFlags(["-package-name", sdkName]),
    ])

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
        gatewayFiles,
        .executableTarget(
            name: "fuzz-gateway",
            dependencies: ["FuzzSupport", "GatewayFiles", .product(name: "SMQBroker", package: "DeviceSDK")],
            swiftSettings: fuzzing),
    ],
    swiftLanguageModes: [.v6]
)
