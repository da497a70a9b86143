import DeviceCore
import Testing

@Suite struct DeviceErrorTests {
    @Test func printsMessageCauseAndHintAsOneLine() {
        let error = DeviceError(
            .busy, "line GPIO17 is in use", hint: "Choose another line",
            cause: DeviceError(.io, "ioctl failed"))
        #expect(error.description == "line GPIO17 is in use: ioctl failed. Choose another line.")
    }

    @Test func exitStatusFollowsSysexits() {
        #expect(DeviceError(.invalidArgument, "").exitStatus == 64)
        #expect(DeviceError(.unavailable, "").exitStatus == 69)
        #expect(DeviceError(.io, "").exitStatus == 74)
        #expect(DeviceError(.permission, "").exitStatus == 77)
        #expect(DeviceError(.configuration, "").exitStatus == 78)
    }

    @Test func timeNeverOverflows() {
        #expect(MonotonicTime.distantFuture + .seconds(1) == .distantFuture)
        #expect(MonotonicTime.zero + .milliseconds(5) - .zero == .milliseconds(5))
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
    }
}
