import CDeviceShim
import DeviceCore
import Glibc
import Synchronization

/// Inputs of a kernel chip. Where edges are wanted, a thread of its own does nothing but wait for them.
final class LibgpiodInput: InputRequest {
    private struct State {
        /// nil when closed.
        var handle: RequestHandle?
        var reader: EdgeReader?
    }

    let lines: [GPIOLine]
    let edges: AsyncStream<EdgeEvent>
    private let continuation: AsyncStream<EdgeEvent>.Continuation
    private let lost = LostCounter()
    private let state: Locked<State>

    /// Owns the handle from now on, also when it throws. `debounce` is what the kernel leaves to the reader.
    init(
        lines: [GPIOLine], handle: RequestHandle, settings: InputSettings, debounce: Duration
    ) throws(DeviceError) {
        self.lines = lines
        let size = min(max(settings.bufferSize, 1), 65536)
        (edges, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(size))
        state = Locked(State(handle: handle))
        guard settings.reportsEdges else {
            continuation.finish()
            return
        }
        do throws(DeviceError) {
            let levels = debounce > .zero ? try handle.get(lines) : 0
            let debouncers = lines.indices.map {
                QuietPeriodDebouncer(period: debounce, level: levels >> UInt64($0) & 1 == 1)
            }
            let reader = try EdgeReader(
                handle: handle, debouncers: debounce > .zero ? debouncers : [], output: continuation, lost: lost)
            state.withLock { $0.reader = reader }
        } catch {
            close()
            throw error
        }
    }

    var lostEdges: UInt64 { lost.count }

    func values() throws(DeviceError) -> UInt64 {
        let result: Result<UInt64, DeviceError>? = state.withLock { state in
            guard let handle = state.handle else { return nil }
            do throws(DeviceError) { return .success(try handle.get(lines)) } catch { return .failure(error) }
        }
        guard let result else { throw GPIOError.closed(lines) }
        return try result.get()
    }

    func close() {
        let taken: State = state.withLock { state in
            defer { state = State() }
            return state
        }
        taken.reader?.stop()
        taken.handle?.release()
        continuation.finish()
    }
}

/// Counts lost edges.
final class LostCounter: Sendable {
    private let value = Atomic<UInt64>(0)
    var count: UInt64 { value.load(ordering: .relaxed) }
    func add(_ number: UInt64) { value.wrappingAdd(number, ordering: .relaxed) }
}
