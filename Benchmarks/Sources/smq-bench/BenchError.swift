import Glibc

/// Why a measurement could not be made, in one sentence.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// With what the system says about the last call.
    static func system(_ what: String) -> BenchError { BenchError("\(what): \(String(cString: strerror(errno)))") }
}
