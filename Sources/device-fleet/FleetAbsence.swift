import DeviceCore

/// Which devices have no session, and for how long by now. The gaps of moves tell only of those that came back.
///
/// It is looked at about once a second, so a time can be a second too short.
struct FleetAbsence: Sendable {
    /// By device, in the order in which they were switched on: since when it has no session.
    private var since: [MonotonicTime?] = []
    /// Devices without a session.
    private(set) var count = 0
    /// For how long the one that waits longest has had none.
    private(set) var longest = Duration.zero

    /// What is so now.
    mutating func look(_ isConnected: [Bool], at now: MonotonicTime) {
        (count, longest) = (0, .zero)
        if since.count < isConnected.count {
            since += Array(repeating: nil, count: isConnected.count - since.count)
        }
        for (index, isConnected) in isConnected.enumerated() {
            guard !isConnected else {
                since[index] = nil  // safe: there are as many places as devices
                continue
            }
            let begun = since[index] ?? now  // safe: as above
            since[index] = begun  // safe: as above
            count += 1
            longest = max(longest, now - begun)
        }
    }
}
