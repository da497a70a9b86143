import DeviceCore

/// Calls what an object of a script keeps, from any thread.
///
/// The object is named after it was made, because what calls is often begun while it is made; calls before that are
/// dropped: no script has the object yet.
package final class ScriptTarget: Sendable {
    private let app: LuaApp
    private let object = Locked<LuaObject?>(nil)
    private let activity: String

    package init(_ context: LuaContext, activity: String) {
        app = context.app
        self.activity = activity
    }

    package func name(_ object: LuaObject) { self.object.withLock { $0 = object } }

    /// Calls the function that is kept under a name; nothing happens where there is none.
    ///
    /// - Parameters:
    ///   - closesOnError: an error in the function closes the object after it was reported, as in Xedge32.
    ///   - done: called when the function has ended, or was not called.
    package func call(
        _ member: String, _ arguments: [LuaValue], closesOnError: Bool = false,
        done: (@Sendable (LuaEnd?) -> Void)? = nil
    ) {
        guard let object = object.withLock({ $0 }) else {
            done?(nil)
            return
        }
        let isPosted = app.post { [activity] context in
            guard context.resource(object) != nil else {
                done?(nil)
                return
            }
            context.start(.member(object, member), arguments, activity: activity, of: object) { context, end in
                if case .failed = end, closesOnError { context.close(object) }
                if case .killed = end, closesOnError { context.close(object) }
                done?(end)
            }
        }
        if !isPosted { done?(nil) }
    }

    /// The same, and waits for the end of the function; nil also when the task is cancelled.
    package func callAndWait(_ member: String, _ arguments: [LuaValue], closesOnError: Bool = false) async -> LuaAnswer
    {
        let answer = OneShot<LuaAnswer>()
        return await withTaskCancellationHandler {
            call(member, arguments, closesOnError: closesOnError) { end in
                if case .returned(let values)? = end { answer.decide(.returned(values)) } else { answer.decide(.none) }
            }
            return await answer.value()
        } onCancel: {
            answer.decide(.none)
        }
    }
}

/// What a function of a script returned, or that it did not.
package enum LuaAnswer: Sendable {
    case returned([LuaValue])
    case none
}
