import DeviceCore
import Glibc

extension MonotonicTime {
    /// Now, on CLOCK_MONOTONIC, by which the kernel stamps edges.
    static var ofKernel: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
