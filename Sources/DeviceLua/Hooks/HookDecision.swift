public import DeviceCore

/// What scripts make of something that is about to happen.
public enum HookDecision: Equatable, Sendable {
    /// It happens as it is.
    case pass
    /// It happens in this way.
    case change(JSONValue)
    /// It does not happen, and why.
    case refuse(String)
}
