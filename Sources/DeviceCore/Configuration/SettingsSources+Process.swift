extension SettingsSources {
    /// The arguments for the parser, with this process's command line, environment and files; see
    /// ``arguments(commandLine:environment:flags:ignoring:readFile:)``.
    ///
    /// ```swift
    /// let arguments = try SettingsSources.arguments(flags: [.option("listen"), .list("broker"), .option("config")])
    /// let command = try LEDDemoCommand.parse(arguments)
    /// ```
    /// - Throws: Also `.permission` and `.io` when the file cannot be read.
    public static func arguments(
        flags: [FlagDescription], ignoring: Set<String> = []
    ) throws(DeviceError) -> [String] {
        try arguments(
            commandLine: Array(CommandLine.arguments.dropFirst()), environment: processEnvironment(), flags: flags,
            ignoring: ignoring
        ) { path throws(DeviceError) in
            // One byte more than the parser takes, so that it sees that the file is too large.
            try SystemFile.read(path, limit: JSONParsingOptions.settingsFile.maximumSize + 1)
        }
    }

    /// The environment with which the process was started. From /proc, because C's `environ` is a global variable
    /// that Swift 6 cannot prove safe; without /proc it is empty.
    package static func processEnvironment() -> [String: String] {
        let bytes = (try? SystemFile.read("/proc/self/environ", limit: 1 << 20)) ?? []
        var environment: [String: String] = [:]
        for entry in bytes.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: entry[..<equals], as: UTF8.self)
            environment[name] = String(decoding: entry[equals...].dropFirst(), as: UTF8.self)
        }
        return environment
    }
}
