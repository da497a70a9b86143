import DeviceCore

/// What a host function throws: the script gets it as an error, with file and line before it.
public struct LuaError: Error, Sendable, CustomStringConvertible {
    /// What is wrong.
    public var description: String
    /// The number of the argument at fault, from 1; Lua puts "bad argument #1 to 'name'" before the text then.
    var argument: Int?

    /// An error with a text.
    public init(_ text: String) { description = text }
    /// An error about an argument, counted from 0 as in ``LuaCall``.
    public init(argument: Int, _ text: String) {
        description = text
        self.argument = argument + 1
    }
}
