/// What `/etc/hosts` says (hosts(5)).
public enum HostsFile {
    /// All addresses of a name, in the file's order; the name is compared without case and without a dot at its end.
    ///
    /// Lines that make no sense are passed over. At most 64 addresses are read.
    public static func addresses(of name: String, in file: [UInt8]) -> [IPAddress] {
        let wanted = Array((name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased().utf8)
        guard !wanted.isEmpty else { return [] }
        var found: [IPAddress] = []
        for line in file.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let fields = line.prefix { $0 != 0x23 }.split { $0 == 0x20 || $0 == 0x09 }
            guard let first = fields.first, fields.dropFirst().contains(where: { equal($0, wanted) }),
                let address = IPAddress(String(decoding: first, as: UTF8.self)), !found.contains(address)
            else { continue }
            found.append(address)
            if found.count == 64 { break }
        }
        return found
    }

    private static func equal(_ field: ArraySlice<UInt8>, _ lowercased: [UInt8]) -> Bool {
        field.count == lowercased.count
            && zip(field, lowercased).allSatisfy { (0x41...0x5A).contains($0) ? $0 | 0x20 == $1 : $0 == $1 }
    }
}
