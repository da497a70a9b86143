import DeviceCore
import DeviceProtocols

/// A frame as a record of the store: `{"received":…,"count":…,"rxpk":{…}}`, microseconds since 1970 and of the radio.
///
/// JSON, so that a person can read what waits; the element of `rxpk` is the protocol's own.
enum StoredFrame {
    static func encode(_ frame: ReceivedFrame) -> [UInt8] {
        let rxpk = frame.rxpk.json
        let count = Int64(clamping: frame.uplink.count)
        return Array("{\"received\":\(frame.receivedAt.microseconds),\"count\":\(count),\"rxpk\":\(rxpk)}".utf8)
    }

    /// The frame; nil for a record that this program did not write.
    ///
    /// - Parameter lateAfter: frames older than this are late.
    static func decode(_ record: [UInt8], number: UInt64, now: UTCTime, lateAfter: Duration) -> ReceivedFrame? {
        guard let value = try? JSONValue(parsing: record, named: "record", options: .message),
            let received = value["received"]?.integerValue, let count = value["count"]?.integerValue, count >= 0,
            let element = value["rxpk"], let rxpk = try? GWMPRxpk(element)
        else { return nil }
        let age = now.microseconds.subtractingReportingOverflow(received).partialValue
        return ReceivedFrame(
            RadioUplink(rxpk, count: UInt64(count), receivedAt: .zero), receivedAt: UTCTime(microseconds: received),
            // A clock that was set back in between makes nothing young.
            isLate: age < 0 || Duration.microseconds(age) > lateAfter, record: number,
            note: rxpk.meta["note"])
    }
}
