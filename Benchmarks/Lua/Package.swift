// swift-tools-version:6.1
import PackageDescription

// Measures the host of scripts beside a plain C host of the same system's Lua, in one run. Apart from the other
// benchmarks, because this one needs the SDK and with it its dependencies. script/lua-bench builds and runs it.
let package = Package(
    name: "LuaBenchmarks",
    dependencies: [.package(name: "DeviceSDK", path: "../..")],
    targets: [
        .systemLibrary(
            name: "CLuaSystem", path: "Sources/CLuaSystem", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
        .target(name: "CLuaPeer", dependencies: ["CLuaSystem"]),
        .executableTarget(
            name: "lua-bench", dependencies: ["CLuaPeer", .product(name: "DeviceLua", package: "DeviceSDK")]),
    ],
    swiftLanguageModes: [.v6]
)
