import DeviceCore
import Testing

@Suite struct SerialDecoderTests {
    private static func plus(_ gap: Duration = .zero) -> SerialSettings {
        var settings = SerialSettings()
        settings.pattern = SerialSettings.Pattern(byte: UInt8(ascii: "+"), count: 3, gap: gap)
        return settings
    }

    /// What a decoder gives, with runs of bytes joined, so that splits do not matter.
    private static func events(_ pieces: [[UInt8]], _ settings: SerialSettings) -> [SerialEvent] {
        var decoder = SerialDecoder(settings)
        let inbox = SerialInbox(limit: 1 << 16)
        for piece in pieces { inbox.add(decoder.take(piece, at: .zero)) }
        inbox.add(decoder.flush())
        var events: [SerialEvent] = []
        while let event = inbox.take() { events.append(event) }
        return events
    }

    @Test(
        arguments: [
            ([1, 2, 3], [.data([1, 2, 3], isPattern: false)]),
            ([0xFF, 0xFF], [.data([0xFF], isPattern: false)]),
            ([1, 0xFF, 0, 0x41, 2], [.data([1], isPattern: false), .error(.frame), .data([2], isPattern: false)]),
            ([0xFF, 0, 0], [.error(.lineBreak)]),
            ([0xFF, 0xFF, 0, 0xFF, 0xFF], [.data([0xFF, 0, 0xFF], isPattern: false)]),
        ] as [([UInt8], [SerialEvent])])
    func marksAreDecodedAtEverySplit(_ bytes: [UInt8], _ expected: [SerialEvent]) {
        for cut in 0...bytes.count {
            #expect(Self.events([Array(bytes[..<cut]), Array(bytes[cut...])], SerialSettings()) == expected)
        }
        #expect(Self.events(bytes.map { [$0] }, SerialSettings()) == expected)
    }

    @Test func parityIsNamedWhereThereIsParity() {
        var settings = SerialSettings()
        settings.parity = .even
        #expect(Self.events([[0xFF, 0, 0x41]], settings) == [.error(.parity)])
    }

    @Test func aPatternEndsAMessageAtEverySplit() {
        let bytes = Array("hello+++next++x".utf8)
        let expected: [SerialEvent] = [
            .data(Array("hello+++".utf8), isPattern: true), .data(Array("next++x".utf8), isPattern: false),
        ]
        for cut in 0...bytes.count {
            #expect(Self.events([Array(bytes[..<cut]), Array(bytes[cut...])], Self.plus()) == expected)
        }
    }

    @Test func aPauseBreaksAPattern() {
        var decoder = SerialDecoder(Self.plus(.milliseconds(10)))
        #expect(decoder.take(Array("++".utf8), at: .zero).isEmpty)
        #expect(decoder.take(Array("+".utf8), at: .zero + .milliseconds(11)).isEmpty)
        #expect(decoder.take(Array("++".utf8), at: .zero + .milliseconds(12)).count == 1)
    }

    @Test func aMessageWithoutAnEndComesInPieces() {
        var decoder = SerialDecoder(Self.plus())
        let events = decoder.take([UInt8](repeating: 7, count: 10_000), at: .zero)
        #expect(events.count == 2)
        #expect(decoder.count == 10_000 - 2 * SerialDecoder.limit)
    }

    @Test func aFullInboxThrowsAwayAndTellsOnce() {
        let inbox = SerialInbox(limit: 4)
        for byte in 0..<6 as Range<UInt8> { inbox.add([.data([byte], isPattern: false)]) }
        #expect(inbox.droppedBytes == 2)
        #expect(inbox.take() == .data([0, 1, 2, 3], isPattern: false))
        #expect(inbox.take() == .error(.full))
        #expect(inbox.take() == nil)
        inbox.add([.data([9], isPattern: false)])
        #expect(inbox.take() == .data([9], isPattern: false))
    }

    @Test(
        arguments: [
            { $0.baudRate = 0 }, { $0.dataBits = 9 }, { $0.stopBits = 3 }, { $0.receiveBuffer = 1 },
            { $0.pattern = SerialSettings.Pattern(byte: 0, count: 0) },
        ] as [@Sendable (inout SerialSettings) -> Void])
    func impossibleSettingsAreRefused(_ change: @Sendable (inout SerialSettings) -> Void) {
        var settings = SerialSettings()
        change(&settings)
        #expect(throws: DeviceError.self) { try settings.check() }
    }
}
