extension Sequence<UInt8> {
    /// Whether two secrets are equal, compared in a time that does not tell how much of them is; only their lengths show.
    package func equalsSecretly(_ other: some Sequence<UInt8>) -> Bool {
        let (left, right) = (Array(self), Array(other))
        return left.count == right.count && zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
