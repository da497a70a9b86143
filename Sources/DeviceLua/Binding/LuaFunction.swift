import DeviceCore

/// A function of a script, or a table of it from ``LuaCall/shared(from:)``, that the host keeps. The script's state lets it go when the last copy of this is gone.
///
/// A module that keeps functions for long should keep them in an object (``LuaContext/add(_:keeping:owner:)``): the
/// collector does not see references from the host, so that an object whose callback mentions the object itself would
/// never be collected.
public final class LuaFunction: Sendable {
    let reference: Int32
    /// Tells one function from another while both live.
    let identity: Int
    private let released: LuaReleases

    init(reference: Int32, identity: Int, released: LuaReleases) {
        self.reference = reference
        self.identity = identity
        self.released = released
    }

    deinit { released.add(reference) }

    /// Whether both are the same function of the script.
    public func isSame(as other: LuaFunction) -> Bool { identity == other.identity }
}

/// References that were let go by whatever thread, until the app's thread frees them.
final class LuaReleases: Sendable {
    private let references = Locked<[Int32]>([])

    func add(_ reference: Int32) { references.withLock { $0.append(reference) } }

    func take() -> [Int32] {
        references.withLock { references in
            if references.isEmpty { return [] }
            defer { references = [] }
            return references
        }
    }
}
