/// What one app may use. What goes beyond is refused or ended, and counted.
public struct LuaLimits: Sendable, Equatable {
    /// Bytes of the script's heap. An allocation beyond is an error in the script.
    public var memory = 2 << 20
    /// Instructions of one activation (a chunk, a tick, an event) between two waits, about; beyond, it is ended.
    /// Work of C functions that is long counts too.
    public var instructions: Int64 = 5_000_000
    /// Processor time of one activation between two waits; beyond, it is ended. It is not the time on the wall,
    /// because a machine that is busy with other things is no fault of the script.
    public var processorTime: Duration = .seconds(1)
    /// Time on the wall of one activation between two waits, which calls that block count for: files on a disk that does not
    /// answer. Beyond, it is ended as soon as the call returns. Long, because of busy machines.
    public var wallTime: Duration = .seconds(60)
    /// Coroutines that wait at the same time; starting one more is an error.
    public var activations = 256
    /// Events that wait for the app's thread; further ones are dropped.
    public var queuedEvents = 1024
    /// Timers that run.
    public var timers = 128
    /// Objects of any kind: pins, sockets, files, timers.
    public var objects = 512
    /// Sockets that are open.
    public var sockets = 32
    /// Files that are open.
    public var files = 16
    /// Bytes of all files in the app's directory; writing beyond fails. A file that is made larger by something else
    /// counts from the app's next start.
    public var disk = 64 << 20
    /// Pins in use.
    public var pins = 32
    /// Lines of trace and log in one second; further ones are left out, and their number told.
    public var linesPerSecond = 100
    /// Ended or failed activations within ``faultWindow`` that stop the app for a while.
    public var faults = 10
    /// See ``faults``.
    public var faultWindow: Duration = .seconds(10)
    /// How long an app is stopped after repeated faults: at first, doubled each time up to ``longestBackOff``.
    public var firstBackOff: Duration = .seconds(5)
    /// See ``firstBackOff``.
    public var longestBackOff: Duration = .seconds(300)
    /// Failures while starting, in a row, after which an app is in safe mode until a file of it changes.
    public var failedStarts = 3

    /// The limits as documented.
    public init() {}
}
