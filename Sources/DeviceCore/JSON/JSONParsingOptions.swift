/// What a JSON text may look like, and what its errors are called.
public struct JSONParsingOptions: Sendable {
    /// Whether `//` and `/* */` comments may stand wherever white space may.
    public var allowsComments: Bool
    /// How deep arrays and objects may nest; at most 256 whatever is set here, so that no input can exhaust the stack.
    public var maximumDepth: Int
    /// The largest text in bytes.
    public var maximumSize: Int
    /// The code of the errors.
    public var errorCode: DeviceError.Code

    /// Makes options.
    public init(allowsComments: Bool, maximumDepth: Int, maximumSize: Int, errorCode: DeviceError.Code) {
        self.allowsComments = allowsComments
        self.maximumDepth = maximumDepth
        self.maximumSize = maximumSize
        self.errorCode = errorCode
    }

    /// A file that a person wrote: comments, 64 levels, 1 MiB, errors are `.configuration`.
    public static let settingsFile = JSONParsingOptions(
        allowsComments: true, maximumDepth: 64, maximumSize: 1 << 20, errorCode: .configuration)

    /// What a peer sent: no comments, 64 levels, 1 MiB, errors are `.protocolViolation`.
    public static let message = JSONParsingOptions(
        allowsComments: false, maximumDepth: 64, maximumSize: 1 << 20, errorCode: .protocolViolation)
}
