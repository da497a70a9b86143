import DeviceCore
import DeviceSDK
import DeviceSimulator
import Glibc
import Testing

/// A pair of pseudo terminals: the port opens one end, a test holds the other.
final class TerminalPair {
    let master: Int32
    let path: String

    init() throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        try #require(master >= 0)
        // TIOCSPTLCK and TIOCGPTN, which Swift does not see: the other end is opened, and its number.
        var (lock, number): (Int32, UInt32) = (0, 0)
        try #require(ioctl(master, 0x4004_5431, &lock) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
        path = "/dev/pts/\(number)"
    }

    deinit { close(master) }

    func send(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { Glibc.write(master, $0.baseAddress, $0.count) } }

    func receive(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var buffer = [UInt8](repeating: 0, count: count - bytes.count)
            var poller = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 30_000) > 0 else { break }
            let got = read(master, &buffer, buffer.count)
            guard got > 0 else { break }
            bytes += buffer[..<got]
        }
        return bytes
    }
}

@Suite(.timeLimit(.minutes(2))) struct SerialPortTests {
    /// Reads until so many bytes came; nil entries of the events are errors.
    private func bytes(_ count: Int, from line: any SerialLine) async -> [UInt8] {
        var bytes: [UInt8] = []
        for await event in line.events {
            if case .data(let data, _) = event { bytes += data }
            if bytes.count >= count { break }
        }
        return bytes
    }

    @Test func carriesEveryByteBothWays() async throws {
        let pair = try TerminalPair()
        let port = try SerialPort(pair.path)
        defer { port.close() }
        let all = (0...255).map { UInt8($0) }
        pair.send(all)
        #expect(await bytes(256, from: port) == all)
        try port.write(all)
        #expect(pair.receive(256) == all)
        #expect(port.writableBytes > 0)
    }

    @Test func quietAndPatternsShapeMessages() async throws {
        let pair = try TerminalPair()
        var settings = SerialSettings()
        settings.pattern = SerialSettings.Pattern(byte: UInt8(ascii: "\n"), count: 1)
        let port = try SerialPort(pair.path, settings)
        defer { port.close() }
        pair.send(Array("one\ntwo".utf8))
        var events = port.events.makeAsyncIterator()
        #expect(await events.next() == .data(Array("one\n".utf8), isPattern: true))
        // Without its end the rest comes once the line is quiet.
        #expect(await events.next() == .data(Array("two".utf8), isPattern: false))
    }

    @Test(arguments: [300, 9600, 115_200, 250_000, 1_000_000])
    func takesAnyRate(_ rate: Int) throws {
        let pair = try TerminalPair()
        var settings = SerialSettings()
        settings.baudRate = rate
        (settings.dataBits, settings.stopBits, settings.parity) = (7, 2, .even)
        settings.hasHardwareFlowControl = true
        let port = try SerialPort(pair.path, settings)
        var terminal = termios()
        let file = open(pair.path, O_RDWR | O_NOCTTY)
        defer { close(file) }
        tcgetattr(file, &terminal)
        // A pseudo terminal keeps CS8 without parity (pty(7)); the rest is what was asked for.
        #expect(terminal.c_cflag & tcflag_t(CSTOPB) != 0)
        #expect(terminal.c_cflag & 0x8000_0000 != 0, "CRTSCTS")
        #expect(terminal.c_lflag & tcflag_t(ICANON | ECHO | ISIG) == 0)
        port.close()
    }

    @Test func theOtherEndsDisappearanceEndsTheEvents() async throws {
        var pair: TerminalPair? = try TerminalPair()
        let port = try SerialPort(try #require(pair).path)
        pair = nil
        var events: [SerialEvent] = []
        for await event in port.events { events.append(event) }
        #expect(events == [.error(.io)])
        port.close()
        #expect(throws: DeviceError.self) { try port.write([1]) }
        #expect(port.writableBytes == 0)
    }

    @Test func aSecondProgramIsRefused() throws {
        let pair = try TerminalPair()
        let port = try SerialPort(pair.path)
        let error = #expect(throws: DeviceError.self) { _ = try SerialPort(pair.path) }
        #expect(error?.code == .busy)
        port.close()
        _ = try SerialPort(pair.path)
    }

    @Test func whatIsNoPortIsExplained() throws {
        let absent = #expect(throws: DeviceError.self) { _ = try SerialPort("/dev/serial99") }
        #expect(absent?.code == .notFound && absent?.hint != nil)
        let file = #expect(throws: DeviceError.self) { _ = try SerialPort("/dev/null") }
        #expect(file?.code == .invalidArgument)
    }

    @Test func aSimulatedLineEchoesAndEnds() async throws {
        let line = SimulatedSerialLine()
        try line.write([1, 0xFF, 3])
        #expect(await bytes(3, from: line) == [1, 0xFF, 3])
        line.receive(.parity)
        line.close()
        var events: [SerialEvent] = []
        for await event in line.events { events.append(event) }
        #expect(events == [.error(.parity)])
        #expect(throws: DeviceError.self) { try line.write([1]) }
    }
}
