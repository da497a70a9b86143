import DeviceTransport
import Synchronization
import TestSupport
import Testing

/// What changes something: POST, and only for those who may.
@Suite struct HTTPActionTests {
    private final class Calls: Sendable {
        let count = Atomic<Int>(0)
    }

    private func status(
        _ access: HTTPAccessPolicy, _ request: String, _ headers: String...
    ) async throws -> (status: Int?, calls: Int) {
        let calls = Calls()
        let listener = try await startListener(access: access) { routes in
            routes.action("/drain") { _ in
                calls.count.wrappingAdd(1, ordering: .relaxed)
                return .text(202, "done")
            }
        }
        let head = (["\(request) HTTP/1.1", "Host: 127.0.0.1:8080", "Connection: close"] + headers)
        let text = head.joined(separator: "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
        let status = try await RawConnection.exchange(port: listener.address.port, text).status
        await listener.close()
        return (status, calls.count.load(ordering: .relaxed))
    }

    @Test func onLoopbackProgramsAndOwnPagesMay() async throws {
        #expect(try await status(HTTPAccessPolicy(), "POST /drain") == (202, 1))
        #expect(try await status(HTTPAccessPolicy(), "POST /drain", "Origin: http://127.0.0.1:8080") == (202, 1))
    }

    @Test func pagesOfOthersMayNot() async throws {
        for access in [HTTPAccessPolicy(), HTTPAccessPolicy(isOpen: true)] {
            #expect(try await status(access, "POST /drain", "Origin: http://evil.example") == (403, 0))
            #expect(try await status(access, "POST /drain", "Origin: null") == (403, 0))
        }
    }

    @Test func itTakesTheTokenWhereThereIsOne() async throws {
        let access = HTTPAccessPolicy(token: "0123456789abcdef")
        #expect(try await status(access, "POST /drain") == (401, 0))
        #expect(try await status(access, "POST /drain?token=0123456789abcdee") == (401, 0))
        #expect(try await status(access, "POST /drain?token=0123456789abcdef") == (202, 1))
    }

    @Test func onlyPostChangesAnything() async throws {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            #expect(try await status(HTTPAccessPolicy(), "\(method) /drain") == (405, 0))
        }
        #expect(try await status(HTTPAccessPolicy(), "POST /").status == 405)
    }
}
