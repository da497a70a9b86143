/// Finds names that look like a mistyped one.
package enum EditDistance {
    /// At most `limit` different names within a third of the length, closest first.
    package static func closest(to name: String, among names: [String], limit: Int) -> [String] {
        let wanted = Array(name.lowercased().utf8.prefix(64))
        let allowed = max(1, wanted.count / 3)
        var seen: Set<String> = []
        return names.filter { seen.insert($0).inserted }
            .map { (name: $0, distance: distance(wanted, Array($0.lowercased().utf8.prefix(64)))) }
            .filter { $0.distance <= allowed }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
            .prefix(limit).map(\.name)
    }

    /// Levenshtein's distance.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var row = Array(0...right.count)
        for (i, l) in left.enumerated() {
            var diagonal = i
            row[0] = i + 1  // safe: row is never empty
            for (j, r) in right.enumerated() {
                let above = row[j + 1]  // safe: row has one element more than right
                row[j + 1] = min(diagonal + (l == r ? 0 : 1), above + 1, row[j] + 1)  // safe: as above
                diagonal = above
            }
        }
        return row[right.count]  // safe: row has one element more than right
    }
}
