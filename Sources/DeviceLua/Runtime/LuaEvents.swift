/// `xedge`: events and logs.
enum LuaEvents {
    /// `xedge.event(name, function [, remove])`
    static let event: LuaBody = { call in
        let name = try call.string(0)
        let function = try call.function(1)
        let context = call.context
        if call.isTrue(2) { return .value(.boolean(context.events.remove(name, function))) }
        let owner = context.owner
        if let values = try context.events.add(name, LuaEventTable.Listener(function: function, owner: owner)) {
            context.start(.function(function), values, activity: "event \(name)")
        }
        return .success
    }

    /// `ba.seterrh(function(message) ... end)`: called for every error of the app's scripts, in place of the one before;
    /// nil takes it off.
    static let setErrorHandler: LuaBody = { call in
        let context = call.context
        context.errorHandler =
            call.isNil(0) ? nil : LuaEventTable.Listener(function: try call.function(0), owner: context.owner)
        return .success
    }

    /// `xedge.sendErr(text)`
    static let sendError: LuaBody = { call in
        let text = try call.string(0)
        call.context.write(.error, text)
        call.context.app.mailbox.post { $0.emit("error", [.string(text)], isRetained: false) }
        return .success
    }
}
