/// What can be made to go wrong with a virtual concentrator.
public enum VirtualFault: Hashable, Sendable {
    /// It hears nothing more, though its clock runs and it sends: until it is started anew.
    case deaf
    /// Its clock stands still and it hears nothing: until it is started anew.
    case stoppedClock
    /// It does not start, so many times.
    case failingStarts(Int)
    /// It refuses to send, with an I/O error: until it is started anew.
    case failingTransmits
}
