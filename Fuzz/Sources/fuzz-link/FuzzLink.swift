import FuzzSupport

/// Several other nodes and clients of one broker of a cluster.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzLink(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var driver = LinkDriver(&input)
    driver.run(&input)
    return 0
}
