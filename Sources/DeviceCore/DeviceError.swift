/// What went wrong, in a form that a program can switch on and a person can act on.
///
/// `message` says what and where, `hint` what to do next. Printed, it reads
/// `line GPIO17 of pinctrl-bcm2711 is in use by "spi0 CS1". Stop that program or choose another line.`
public struct DeviceError: Error, Sendable, CustomStringConvertible {
    /// The kind of error. Extensible: new codes may appear, so a `switch` needs a `default`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's stable name, as it appears in logs and JSON.
        public let description: String

        /// Makes a code from its stable name.
        public init(_ name: String) { self.description = name }

        /// The caller asked for something that makes no sense.
        public static let invalidArgument = Code("invalid-argument")
        /// The thing that was asked for does not exist.
        public static let notFound = Code("not-found")
        /// Somebody else uses it.
        public static let busy = Code("busy")
        /// This user may not do it.
        public static let permission = Code("permission")
        /// This machine, board or peer cannot do it.
        public static let unsupported = Code("unsupported")
        /// The operating system reported a failure.
        public static let io = Code("io")
        /// A host, port or service is not reachable now.
        public static let unavailable = Code("unavailable")
        /// A peer refused: credentials, permission, duplicate identity.
        public static let refused = Code("refused")
        /// A peer sent what its protocol does not allow.
        public static let protocolViolation = Code("protocol-violation")
        /// A bounded queue, size or rate reached its limit.
        public static let limitExceeded = Code("limit-exceeded")
        /// Nothing was heard in time.
        public static let timedOut = Code("timed-out")
        /// The session or request ended before the operation did.
        public static let closed = Code("closed")
        /// A peer's certificate is not valid, not trusted, or for another name.
        public static let certificate = Code("certificate")
        /// A settings file or flag is wrong.
        public static let configuration = Code("configuration")
    }

    /// The kind of error.
    public var code: Code
    /// What went wrong and where: one sentence without a full stop.
    public var message: String
    /// What to do next: one sentence without a full stop, or nil where there is nothing to do.
    public var hint: String?
    /// The error underneath, where there was one.
    public var cause: (any Error)?

    /// Makes an error.
    public init(_ code: Code, _ message: String, hint: String? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
        self.cause = cause
    }

    /// Message, cause and hint as one line for a person.
    public var description: String {
        var text = message
        if let cause { text += ": \(cause)" }
        if !text.hasSuffix(".") { text += "." }
        if let hint { text += " \(hint)" + (hint.hasSuffix(".") ? "" : ".") }
        return text
    }

    /// The process exit status of a program that ends because of this error (sysexits.h).
    public var exitStatus: Int32 {
        switch code {
        case .invalidArgument: 64
        case .permission: 77
        case .configuration: 78
        case .io: 74
        default: 69
        }
    }
}
