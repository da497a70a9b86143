import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import Outbox

@Suite struct LogSourceTests {
    @Test func aSourceStaysAsLongAsTheMachineAndTheEpochs() throws {
        let directory = try TemporaryDirectory()
        func source(_ epoch: UInt32, _ machine: UInt64, _ name: String = "high") throws -> UInt64 {
            try LogSource.load(name, epoch: epoch, in: directory("state"), machine: machine)
        }
        let first = try source(1, 7)
        #expect(try source(2, 7) == first)
        #expect(try source(2, 7, "low") != first)
        #expect(try source(3, 7) == first)
        // The card was copied into another board, which goes on with the same epochs.
        let clone = try source(4, 8)
        #expect(clone != first)
        #expect(try source(5, 8) == clone)
        #expect(try source(1, 8) != clone)
        #expect(try StateDirectory.names(in: directory("state")).filter { $0.hasPrefix("source-high-") }.count == 1)
    }

    @Test func twoBoardsWithCopiesOfOneCardDiffer() throws {
        let directory = try TemporaryDirectory()
        func mark(_ name: String, serial: String?, card: String) throws -> UInt64 {
            let root = directory(name)
            for path in [
                "", "/etc", "/proc", "/proc/device-tree", "/sys", "/sys/class", "/sys/class/net", "/sys/class/net/eth0",
            ] {
                mkdir(root + path, 0o755)
            }
            func put(_ text: String, _ path: String) {
                guard let file = fopen(root + path, "w") else { return }
                fputs(text, file)
                fclose(file)
            }
            put("0123456789abcdef0123456789abcdef\n", "/etc/machine-id")
            if let serial { put(serial, "/proc/device-tree/serial-number") }
            put(card, "/sys/class/net/eth0/address")
            return MachineMark.current(root: root)
        }
        let board = try mark("a", serial: "10000000abcdef01", card: "b8:27:eb:00:00:01")
        #expect(try mark("b", serial: "10000000abcdef02", card: "b8:27:eb:00:00:01") != board)
        // A board with a serial number may get another card.
        #expect(try mark("c", serial: "10000000abcdef01", card: "b8:27:eb:00:00:02") == board)
        let machine = try mark("d", serial: nil, card: "b8:27:eb:00:00:01")
        #expect(try mark("e", serial: nil, card: "b8:27:eb:00:00:02") != machine)
        #expect(MachineMark.current(root: directory("nothing")) == 0)
        #expect(MachineMark.current() == MachineMark.current())
    }
}
