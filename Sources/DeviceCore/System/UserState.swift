/// Where a program keeps what has to last.
package enum UserState {
    /// systemd's directory (`$STATE_DIRECTORY`), else `devicesdk` in the user's by the XDG rules; nil when the
    /// environment names neither that nor a home.
    package static func directory(_ environment: (String) -> String?) -> String? {
        if let directories = environment("STATE_DIRECTORY"), let first = directories.split(separator: ":").first {
            return String(first)
        }
        // A relative path is to be ignored (XDG Base Directory Specification).
        if let home = environment("XDG_STATE_HOME"), home.hasPrefix("/") { return home + "/devicesdk" }
        guard let home = environment("HOME"), home.hasPrefix("/") else { return nil }
        return home + "/.local/state/devicesdk"
    }
}
