import CDeviceShim
import DeviceCore
import DeviceSDK
import Glibc
import Testing

/// The C shim on input that no Swift caller gives it.
extension OnLines {
    @Suite struct ShimTests {
        @Test func openingKeepsErrno() {
            #expect(cdev_chip_open("/nonexistent") == nil)
            #expect(errno == ENOENT)
            #expect(cdev_chip_open("/dev/null") == nil)
            #expect(errno == ENOTTY || errno == ENODEV)
            #expect(cdev_chip_open(nil) == nil)
            #expect(errno == EINVAL)
            #expect(cdev_chip_open(String(repeating: "x", count: 100_000)) == nil)
            cdev_chip_close(nil)
            cdev_request_release(nil)
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func badRequestsAreRefused() throws {
            let line = try LibgpiodBackend().find("pin11")
            let path = "/dev/" + line.device
            let chip = try #require(cdev_chip_open(path))
            defer { cdev_chip_close(chip) }
            var info = cdev_chip_info()
            #expect(cdev_chip_get_info(chip, &info) == 0)
            func refused(
                _ offsets: [UInt32], _ count: Int? = nil, _ change: (inout cdev_settings) -> Void = { _ in }
            ) -> Bool {
                var settings = cdev_settings()
                settings.direction = UInt8(CDEV_DIRECTION_OUTPUT)
                change(&settings)
                return cdev_chip_request(chip, offsets, count ?? offsets.count, &settings) == nil && errno == EINVAL
            }
            let offset = UInt32(line.offset)
            #expect(refused([], 0))
            #expect(refused(Array(0..<65)))
            #expect(refused([offset, offset]))
            #expect(refused([info.lines]))
            #expect(refused([.max]))
            #expect(refused([offset]) { $0.bias = 9 })
            #expect(refused([offset]) { $0.drive = 200 })
            #expect(refused([offset]) { $0.direction = 3 })
            #expect(refused([offset]) { $0.edges = 1 })
            #expect(cdev_chip_request(chip, nil, 1, nil) == nil)
            var state = cdev_line_info()
            #expect(cdev_chip_line_info(chip, info.lines, &state) == -1)
            #expect(cdev_chip_line_info(chip, .max, &state) == -1)
        }

        @Test(.enabled(if: Rig.hasKernel, Rig.needsKernel)) func readsAreBoundedAndWaitsCanBeWoken() throws {
            let world = try KernelWorld()
            let line = try world.gpiod.find("pin15")
            let chip = try #require(cdev_chip_open("/dev/" + line.device))
            defer { cdev_chip_close(chip) }
            var settings = cdev_settings()
            settings.direction = UInt8(CDEV_DIRECTION_INPUT)
            settings.bias = UInt8(CDEV_BIAS_PULL_DOWN)
            settings.edges = 1
            let request = try #require(cdev_chip_request(chip, [UInt32(line.offset)], 1, &settings))
            defer { cdev_request_release(request) }
            #expect(cdev_request_wait(request, -1, 10) == 0)
            let wake = cdev_wake_new()
            defer { close(wake) }
            cdev_wake_signal(wake)
            #expect(cdev_request_wait(request, wake, -1) == 2)
            for up in [true, false, true] {
                try world.pull("pin15", up: up)
                usleep(30_000)
            }
            #expect(cdev_request_wait(request, wake, -1) == 1)
            var events = [cdev_event](repeating: cdev_event(), count: 2)
            #expect(cdev_request_read(request, &events, 2) == 2)
            #expect(events.map(\.active) == [1, 0])
            #expect(events.map(\.sequence) == [1, 2])
            #expect(events.allSatisfy { $0.lost == 0 })
            #expect(cdev_request_read(request, &events, 2) == 1)
            #expect(cdev_request_read(request, &events, 2) == 0)
            try world.pull("pin15", up: false)
        }
    }
}
