import FuzzSupport

/// A gateway's downlink queue under a server, a clock and a radio that do what they like.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDownlink(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var driver = DownlinkDriver(&input)
    driver.run(&input)
    return 0
}
