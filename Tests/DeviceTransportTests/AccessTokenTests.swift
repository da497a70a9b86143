import DeviceCore
import Glibc
import Testing

@testable import DeviceTransport

@Suite struct AccessTokenTests {
    private let directory: String

    init() throws {
        var template = Array("/tmp/token-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func load(_ environment: [String: String]) throws -> AccessToken.Loaded {
        try AccessToken.load { environment[$0] }
    }

    @Test func tokenIsKeptOverStartsForItsUserAlone() throws {
        let first = try load(["XDG_STATE_HOME": directory + "/a/b"])
        #expect(first.warning == nil)
        #expect(AccessToken.isToken(first.value))
        #expect(try load(["XDG_STATE_HOME": directory + "/a/b"]).value == first.value)
        let path = directory + "/a/b/devicesdk/token"
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(SystemFile.names(in: directory + "/a/b/devicesdk") == ["token"])
        // Readable by others by accident: protected again.
        chmod(path, 0o644)
        #expect(try load(["XDG_STATE_HOME": directory + "/a/b"]).value == first.value)
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func systemdsDirectoryComesFirstAndHomeLast() throws {
        let state = try load(["STATE_DIRECTORY": directory + "/s:" + directory + "/t", "HOME": directory + "/h"])
        #expect(try SystemFile.text(directory + "/s/token") == state.value)
        let home = try load(["HOME": directory + "/h", "XDG_STATE_HOME": "relative"])
        #expect(try SystemFile.text(directory + "/h/.local/state/devicesdk/token") == home.value)
        #expect(home.value != state.value)
    }

    @Test func brokenFileIsReplaced() throws {
        close(open(directory + "/token", O_CREAT | O_WRONLY, 0o600))
        let first = try load(["STATE_DIRECTORY": directory])
        #expect(first.warning == nil)
        #expect(try load(["STATE_DIRECTORY": directory]).value == first.value)
    }

    @Test func whatCannotBeKeptIsSaidAndFresh() throws {
        close(open(directory + "/file", O_CREAT | O_WRONLY, 0o600))
        for environment in [["STATE_DIRECTORY": directory + "/file/x"], [:]] {
            let first = try load(environment)
            #expect(first.warning?.contains("DEVICE_TOKEN") == true)
            #expect(try load(environment).value != first.value)
        }
    }

    @Test func tokenFromTheEnvironmentIsChecked() throws {
        #expect(try load(["DEVICE_TOKEN": "0123456789-._~Az"]).value == "0123456789-._~Az")
        for wrong in ["short", "0123456789 abcdef", "0123456789abcde&", "0123456789abcdeä", "0123456789abcde\n"] {
            let error = #expect(throws: DeviceError.self) { try load(["DEVICE_TOKEN": wrong]) }
            #expect(error?.exitStatus == 78)
            #expect(error?.description.contains(wrong) == false)
        }
    }
}
