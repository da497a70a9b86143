import FuzzSupport

/// Several clients of one broker, with a clock and sockets that do or do not take what is written.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBroker(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var driver = BrokerDriver(&input)
    driver.run(&input)
    return 0
}
