public import DeviceCore

/// Several outputs that are set at once, for example the LEDs of a bar or of a traffic light.
///
/// Bit i of a mask is the i-th line. Lines of one chip change in one system call; where the lines are on several
/// chips (some ROCK headers), each chip's change at once and the chips one after the other.
public final class LEDGroup: Sendable {
    private struct Part {
        let request: any OutputRequest
        /// The group's index of each of the request's lines.
        let indices: [Int]
    }

    /// The lines in the order in which they were given.
    public let lines: [GPIOLine]
    private let parts: [Part]
    /// Makes a change over several chips one step for other threads.
    private let lock = Locked(())

    /// Takes 1 to 64 lines as outputs; all or none. `activeLow` and `values` are masks.
    ///
    /// Throws as ``LED/init(_:on:activeLow:initially:release:consumer:clock:)`` does.
    public init(
        _ addresses: [LineAddress], on backend: any GPIOBackend, activeLow: UInt64 = 0, values: UInt64 = 0,
        release: ReleasePolicy = .off, consumer: String = "DeviceSDK LEDGroup"
    ) throws(DeviceError) {
        guard (1...64).contains(addresses.count) else {
            throw DeviceError(.invalidArgument, "a group has 1 to 64 lines, not \(addresses.count)")
        }
        var found: [GPIOLine] = []
        var devices: [String] = []
        for address in addresses {
            let line = try backend.find(address)
            found.append(line)
            if !devices.contains(line.device) { devices.append(line.device) }
        }
        var parts: [Part] = []
        for device in devices {
            let members = found.enumerated().filter { $0.element.device == device }
            let indices = members.map(\.offset)
            let settings = OutputSettings(
                consumer: consumer, activeLow: Self.gather(activeLow, indices),
                values: Self.gather(values, indices), release: release)
            // Where a later chip refuses, the requests before are given back as they go out of scope.
            parts.append(
                Part(request: try backend.requestOutputs(members.map(\.element), settings), indices: indices))
        }
        lines = found
        self.parts = parts
    }

    deinit { close() }

    /// What was set last.
    public var values: UInt64 {
        lock.withLock { _ in
            parts.reduce(0) { $0 | Self.scatter($1.request.values, $1.indices) }
        }
    }

    /// Sets the lines in `mask` and leaves the others. Throws `.closed` or `.io`.
    public func set(_ values: UInt64, mask: UInt64 = .max) throws(DeviceError) {
        try lock.withLock { (_: inout Void) throws(DeviceError) in
            for part in parts {
                let changed = Self.gather(mask, part.indices)
                if changed != 0 { try part.request.set(Self.gather(values, part.indices), mask: changed) }
            }
        }
    }

    /// Switches all on.
    public func on() throws(DeviceError) { try set(.max) }
    /// Switches all off.
    public func off() throws(DeviceError) { try set(0) }
    /// Switches all over.
    public func toggle() throws(DeviceError) { try set(~values) }

    /// Gives the lines back, as `policy` says or, with nil, as was said at the start.
    public func close(_ policy: ReleasePolicy? = nil) {
        lock.withLock { _ in
            for part in parts { part.request.close(policy) }
        }
    }

    /// The bits of a group's mask that belong to a part, packed.
    private static func gather(_ mask: UInt64, _ indices: [Int]) -> UInt64 {
        var bits: UInt64 = 0
        for (position, index) in indices.enumerated() { bits |= (mask >> UInt64(index) & 1) << UInt64(position) }
        return bits
    }

    /// The reverse of ``gather(_:_:)``.
    private static func scatter(_ bits: UInt64, _ indices: [Int]) -> UInt64 {
        var mask: UInt64 = 0
        for (position, index) in indices.enumerated() { mask |= (bits >> UInt64(position) & 1) << UInt64(index) }
        return mask
    }
}
