/// What an RF chain's sender does now (the HAL's `lgw_status` of TX).
public enum RadioTransmitStatus: Hashable, Sendable {
    /// It cannot send: the radio is stopped, or the chain never sends.
    case off
    /// It waits for a frame.
    case free
    /// The same, and the last frame was not sent, because somebody else was on its channel (``ListenBeforeTalk``).
    case channelBusy
    /// The same, and the last frame was not sent, because whoever the radio handed it to refused it.
    case refused
    /// It has a frame and waits for its time.
    case scheduled
    /// A frame is on the air.
    case emitting
}
