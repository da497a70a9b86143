import DeviceProtocols
import Testing

@Suite struct BeaconTests {
    /// LoRaWAN 1.0.3, section 15.2: the first CRC of time 0xCC020000 is 0x7EA2 where 2 bytes are reserved, and that of
    /// the example's position, 0x002001, 0x038100, is 0xD450.
    @Test func theSpecificationsExample() throws {
        let layout = try #require(BeaconLayout(spreadingFactor: 9))
        var beacon = Beacon(gpsSeconds: 0xCC02_0000)
        beacon.latitude = 90.0 * 0x2001 / 8_388_608
        beacon.longitude = 180.0 * Double(0x03_8100) / 8_388_608
        #expect(
            beacon.bytes(layout) == [
                0, 0, 0x00, 0x00, 0x02, 0xCC, 0xA2, 0x7E, 0x00, 0x01, 0x20, 0x00, 0x00, 0x81, 0x03, 0xDE, 0x55,
            ])
    }

    @Test(arguments: [(8, 19, 1), (9, 17, 2), (10, 19, 3), (12, 23, 5)] as [(UInt8, Int, Int)])
    func layouts(_ factor: UInt8, _ length: Int, _ time: Int) throws {
        let layout = try #require(BeaconLayout(spreadingFactor: factor))
        let bytes = Beacon(gpsSeconds: 0x1_0102_0304).bytes(layout)
        #expect(bytes.count == length)
        #expect(Array(bytes[time..<time + 4]) == [4, 3, 2, 1])
        #expect(bytes[..<time].allSatisfy { $0 == 0 })
    }

    @Test func hostileLayouts() {
        #expect(BeaconLayout(spreadingFactor: 7) == nil && BeaconLayout(spreadingFactor: 255) == nil)
        for (time, info, length): (UInt8, UInt8, UInt8) in [
            (0, 0, 0), (255, 255, 255), (0, 5, 20), (0, 6, 14), (250, 255, 255),
        ] {
            #expect(BeaconLayout(time: time, info: info, length: length) == nil)
        }
        #expect(BeaconLayout(time: 0, info: 6, length: 15)?.length == 15)
    }

    @Test func placesOutsideOfTheEarth() throws {
        let layout = try #require(BeaconLayout(spreadingFactor: 9))
        for place in [-1e300, -90, 0, 90, 180, 1e300, .infinity, -.infinity, .nan] {
            var beacon = Beacon(gpsSeconds: 0)
            beacon.latitude = place
            beacon.longitude = place
            #expect(beacon.bytes(layout).count == 17)
        }
        var north = Beacon(gpsSeconds: 0)
        north.latitude = 90
        #expect(Array(north.bytes(layout)[9..<12]) == [0xFF, 0xFF, 0x7F])
        north.latitude = -90
        #expect(Array(north.bytes(layout)[9..<12]) == [0, 0, 0x80])
    }
}
