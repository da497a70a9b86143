import DeviceProtocols
import Glibc

/// The host's clock, which is right only where something sets it; for what people read and for ages on disk.
enum HostTime {
    static var now: UTCTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UTCTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
