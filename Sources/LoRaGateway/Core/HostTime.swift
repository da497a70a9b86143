import DeviceCore
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

/// A moment that another run of the program can tell its distance from.
struct HostMoment: Sendable, Hashable {
    /// The host's clock: microseconds since 1970. A board without a battery has it wrong until the network sets it.
    var utc: Int64
    /// Microseconds since the machine was started.
    var uptime: Int64
    /// Which start of the machine that was.
    var boot: String

    /// Now.
    static var now: HostMoment {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return HostMoment(
            utc: HostTime.now.microseconds, uptime: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000,
            boot: (try? SystemFile.text("/proc/sys/kernel/random/boot_id")) ?? "")
    }

    /// Microseconds from an earlier moment to this one; rather too few than too many.
    ///
    /// Within one start of the machine its own clock says so. Across starts it is at least the time since the last one;
    /// the host's clock says more, unless it was not set then: before 2024 no program of this package ran.
    func since(_ other: HostMoment) -> Int64 {
        if !boot.isEmpty, boot == other.boot {
            return max(0, uptime.subtractingReportingOverflow(other.uptime).partialValue)
        }
        let (distance, overflow) = utc.subtractingReportingOverflow(other.utc)
        guard other.utc >= 1_704_067_200_000_000, !overflow else { return max(0, uptime) }
        return max(uptime, distance, 0)
    }
}
