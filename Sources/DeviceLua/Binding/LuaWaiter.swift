/// The other end of a script's wait. May be resumed by any thread, once; later calls do nothing.
public struct LuaWaiter: Sendable {
    let token: UInt64
    let mailbox: LuaMailbox

    /// Lets the script go on with these results of the function that it waits in.
    public func resume(_ values: [LuaValue] = []) {
        mailbox.reply { [token] in $0.resume(token, values) }
    }

    /// Lets the function that the script waits in raise an error.
    public func fail(_ message: String) {
        mailbox.reply { [token] in $0.resume(token, failing: message) }
    }
}
