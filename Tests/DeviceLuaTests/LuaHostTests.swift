import DeviceCore
import Testing

@testable import DeviceLua

@Suite struct LuaHostTests {
    @Test func runs() async throws {
        let host = LuaHost(reloads: false)
        let app = try host.add(LuaAppConfiguration(name: "a", source: .text("x = 1 + 2", name: "a.xlua")))
        #expect(try await app.evaluate("x") == "3")
        await host.stop()
    }
}
