// swift-tools-version:6.1
import PackageDescription

// Every target is checked with these: `any` is written out, a member needs the import of its module,
// and an import is internal unless it says `public import`.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// SwiftNIO products, named once.
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
/// Counts what is emitted, in tests.
let metricsTestKit: Target.Dependency = .product(name: "MetricsTestKit", package: "swift-metrics")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "DeviceSDK",
    products: [
        .library(name: "DeviceSDK", targets: ["DeviceSDK"]),
        .library(name: "ClusterClient", targets: ["ClusterClient"]),
        .library(name: "SMQBroker", targets: ["SMQBroker"]),
        .library(name: "DeviceSimulator", targets: ["DeviceSimulator"]),
        .library(name: "DeviceLua", targets: ["DeviceLua"]),
        .library(name: "DeviceScripts", targets: ["DeviceScripts"]),
        .library(name: "LoRaNetworkServer", targets: ["LoRaNetworkServer"]),
        .executable(name: "LEDDemo", targets: ["LEDDemo"]),
        .executable(name: "smq-broker", targets: ["smq-broker"]),
        .executable(name: "LoRaGateway", targets: ["LoRaGateway"]),
        .executable(name: "device-fleet", targets: ["device-fleet"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.95.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        // C: the only places that see the headers of Debian's libraries.
        .systemLibrary(
            name: "libgpiod", path: "Sources/CDeviceShim/libgpiod", pkgConfig: "libgpiod",
            providers: [.apt(["libgpiod-dev"])]),
        .target(name: "CDeviceShim", dependencies: ["libgpiod"], exclude: ["libgpiod"]),
        .systemLibrary(
            name: "openssl", path: "Sources/CNetShim/openssl", pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "cares", path: "Sources/CNetShim/cares", pkgConfig: "libcares",
            providers: [.apt(["libc-ares-dev"])]),
        .target(name: "CNetShim", dependencies: ["cares", "openssl"], exclude: ["cares", "openssl"]),
        // Apart from CDeviceShim, so that a program without scripts needs no Lua.
        .systemLibrary(
            name: "liblua", path: "Sources/CLuaShim/liblua", pkgConfig: "lua5.4",
            providers: [.apt(["liblua5.4-dev"])]),
        .target(name: "CLuaShim", dependencies: ["liblua"], exclude: ["liblua"]),
        // The web page's files, embedded into the program by C's #embed.
        .target(name: "CWebAssets", exclude: ["page"]),

        // Libraries, each depending only on those above it.
        .target(name: "DeviceCore", swiftSettings: strict),
        // A target of its own, because it knows no network: it is tested alone.
        .target(name: "Outbox", dependencies: ["DeviceCore"], swiftSettings: strict),
        .target(name: "DeviceProtocols", dependencies: ["DeviceCore", nioCore], swiftSettings: strict),
        .target(
            name: "DeviceTransport",
            dependencies: [
                "CNetShim", "DeviceCore", "DeviceProtocols", nioCore, nioPosix, nioHTTP1, nioWebSocket, logging,
            ],
            swiftSettings: strict),
        .target(
            name: "ClusterClient",
            dependencies: [
                "DeviceCore", "DeviceProtocols", "DeviceTransport", "Outbox", nioCore, nioPosix, logging, metrics,
            ],
            swiftSettings: strict),
        .target(
            name: "SMQBroker",
            dependencies: ["DeviceCore", "DeviceProtocols", "DeviceTransport", nioCore, nioPosix, logging],
            swiftSettings: strict),
        .target(
            name: "DeviceWeb", dependencies: ["CWebAssets", "DeviceCore", "DeviceTransport", nioCore],
            swiftSettings: strict),
        .target(name: "DeviceSimulator", dependencies: ["DeviceCore", "DeviceProtocols"], swiftSettings: strict),
        // A virtual LoRaWAN network, to try a gateway with.
        .target(
            name: "LoRaNetworkServer",
            dependencies: ["DeviceCore", "DeviceProtocols", "DeviceTransport", nioCore, logging],
            swiftSettings: strict),
        .target(
            name: "DeviceSDK",
            dependencies: [
                "CDeviceShim", "ClusterClient", "DeviceCore", "DeviceProtocols", "Outbox", nioCore, lifecycle,
            ],
            swiftSettings: strict),

        .target(
            name: "DeviceLua",
            dependencies: [
                "CLuaShim", "CNetShim", "DeviceCore", "DeviceProtocols", "DeviceTransport",
            ],
            swiftSettings: strict),
        // What scripts reach of the device: its hardware, its messages, and the places where they are asked.
        .target(
            name: "DeviceScripts",
            dependencies: [
                "ClusterClient", "DeviceCore", "DeviceLua", "DeviceProtocols", "DeviceSDK", "DeviceTransport", nioCore,
                logging,
            ],
            swiftSettings: strict),

        // Programs: argument parsing and wiring.
        .executableTarget(
            name: "LEDDemo",
            dependencies: [
                "CDeviceShim", "ClusterClient", "DeviceCore", "DeviceLua", "DeviceProtocols", "DeviceScripts",
                "DeviceSDK", "DeviceSimulator", "DeviceTransport", "DeviceWeb", "Outbox", "SMQBroker", nioCore,
                nioPosix, logging, signals, arguments,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "smq-broker",
            dependencies: [
                "DeviceCore", "DeviceProtocols", "DeviceTransport", "DeviceWeb", "SMQBroker", nioCore, nioPosix,
                logging, signals, arguments,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "LoRaGateway",
            dependencies: [
                "ClusterClient", "DeviceCore", "DeviceLua", "DeviceProtocols", "DeviceSimulator", "DeviceTransport",
                "DeviceWeb", "LoRaNetworkServer", "Outbox", nioCore, nioPosix, logging, signals, arguments,
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "device-fleet",
            dependencies: [
                "ClusterClient", "DeviceCore", "DeviceLua", "DeviceProtocols", "DeviceScripts", "DeviceSimulator",
                "DeviceTransport", "Outbox", nioCore, nioPosix, logging, signals, arguments,
            ],
            swiftSettings: strict),

        // What the README shows, compiled with everything else.
        .executableTarget(
            name: "blink", dependencies: ["DeviceSDK", "DeviceSimulator"], path: "Examples/blink", swiftSettings: strict
        ),

        .executableTarget(
            name: "thermometer", dependencies: ["DeviceSDK", nioCore], path: "Examples/thermometer",
            swiftSettings: strict
        ),

        // Tests.
        // Sends and receives while Tests/Faults kills brokers and cuts cables.
        .executableTarget(
            name: "FaultDevice",
            dependencies: [
                "ClusterClient", "DeviceCore", "DeviceProtocols", "DeviceTransport", "Outbox", nioCore, logging,
                signals, arguments,
            ],
            path: "Tests/FaultDevice", swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["DeviceCore", "DeviceProtocols", "DeviceTransport", nioCore, nioPosix],
            path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(name: "DeviceCoreTests", dependencies: ["DeviceCore", "TestSupport"], swiftSettings: strict),
        // Killed by its tests while it writes.
        .executableTarget(
            name: "OutboxWriter", dependencies: ["Outbox"], path: "Tests/OutboxWriter", swiftSettings: strict),
        .testTarget(
            name: "OutboxTests", dependencies: ["Outbox", "OutboxWriter", "DeviceCore", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "DeviceSimulatorTests",
            dependencies: ["DeviceSimulator", "DeviceProtocols", "DeviceTransport", "DeviceCore", "TestSupport"],
            swiftSettings: strict),
        // Virtual devices and their network around a foreign forwarder: Tests/LoRa.
        .executableTarget(
            name: "LoRaWorldProgram",
            dependencies: [
                "LoRaNetworkServer", "DeviceSimulator", "DeviceTransport", "DeviceProtocols", "DeviceCore", nioPosix,
                logging,
            ],
            path: "Tests/LoRaWorldProgram", swiftSettings: strict),
        .testTarget(
            name: "LoRaNetworkServerTests",
            dependencies: [
                "LoRaNetworkServer", "LoRaWorldProgram", "DeviceSimulator", "DeviceTransport", "DeviceProtocols",
                "DeviceCore",
                "TestSupport", nioCore, nioPosix, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DeviceSDKTests", dependencies: ["CDeviceShim", "DeviceSDK", "DeviceSimulator", "DeviceCore"],
            swiftSettings: strict),
        // Runs mutated scripts for as long as one likes.
        .executableTarget(
            name: "LuaMutator", dependencies: ["DeviceCore", "DeviceLua", "DeviceProtocols"], path: "Tests/LuaMutator",
            swiftSettings: strict),
        .testTarget(
            name: "DeviceScriptsTests",
            dependencies: [
                "smq-broker", "ClusterClient", "DeviceCore", "DeviceLua", "DeviceProtocols", "DeviceScripts",
                "DeviceSDK", "DeviceSimulator", "DeviceTransport", "SMQBroker", "TestSupport", nioCore, nioPosix,
                logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DeviceLuaTests",
            dependencies: [
                "CLuaShim", "DeviceLua", "DeviceCore", "DeviceScripts", "DeviceSimulator", "LuaMutator", "TestSupport",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DeviceProtocolsTests", dependencies: ["DeviceProtocols", "DeviceTransport", "DeviceCore", nioCore],
            swiftSettings: strict),
        .testTarget(
            name: "LEDDemoTests",
            dependencies: [
                "LEDDemo", "ClusterClient", "DeviceCore", "DeviceLua", "DeviceProtocols", "DeviceScripts", "DeviceSDK",
                "DeviceSimulator", "DeviceTransport", "SMQBroker", "TestSupport", nioCore, nioPosix, logging, lifecycle,
                arguments,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DeviceFleetTests",
            dependencies: [
                "device-fleet", "ClusterClient", "DeviceCore", "DeviceProtocols", "DeviceSimulator", "DeviceTransport",
                "SMQBroker", "TestSupport", nioCore, nioPosix, logging, arguments,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "LoRaGatewayTests",
            dependencies: [
                "LoRaGateway", "ClusterClient", "DeviceCore", "DeviceLua", "DeviceProtocols", "DeviceSimulator",
                "DeviceTransport", "Outbox", "SMQBroker", "TestSupport", nioCore, nioPosix, logging, arguments,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DeviceTransportTests",
            dependencies: [
                "DeviceTransport", "DeviceProtocols", "DeviceCore", "TestSupport", nioCore, nioEmbedded, nioPosix,
                logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SMQBrokerTests",
            dependencies: [
                "smq-broker", "SMQBroker", "DeviceTransport", "DeviceProtocols", "DeviceCore", "DeviceWeb",
                "TestSupport", nioCore, nioEmbedded, nioPosix, logging, arguments,
            ],
            swiftSettings: strict),
        // Killed by its tests while it publishes.
        .executableTarget(
            name: "DeliveryWriter", dependencies: ["ClusterClient", "DeviceProtocols", "Outbox", nioCore],
            path: "Tests/DeliveryWriter", swiftSettings: strict),
        .testTarget(
            name: "ClusterClientTests",
            dependencies: [
                "ClusterClient", "DeliveryWriter", "Outbox", "SMQBroker", "DeviceTransport", "DeviceProtocols",
                "DeviceCore",
                "TestSupport", nioCore, nioPosix, logging, metricsTestKit,
            ],
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
