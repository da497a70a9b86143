import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceTransport
import DeviceWeb
import NIOCore

/// The routes of the apps' page: what it shows, and, for who has the token for changes, files and commands.
struct AppPages: Sendable {
    /// The apps, once they are there.
    let find: @Sendable () -> DemoApps?
    /// What comes with everything that changes something or shows a script's text; nil where nothing may.
    let changeToken: String?

    var routes: HTTPRoutes {
        var routes = WebPages.appRoutes
        routes.page("/apps/state") { request in
            let after = request.queryItem("after").flatMap { UInt64($0) } ?? 0
            guard let apps = find() else { return .text(503, "The apps have not been started yet.") }
            var response = HTTPResponse(
                contentType: "application/json", body: ByteBuffer(string: state(apps, after: after).description))
            response.headers.append(("Cache-Control", "no-store"))
            return response
        }
        routes.page("/apps/file") { request in answer(request, read) }
        routes.action("/apps/save") { request in answer(request, save) }
        routes.action("/apps/command") { request in answer(request, command) }
        return routes
    }

    /// Checks the token, and makes a response of what is thrown.
    private func answer(
        _ request: HTTPRequest, _ body: (HTTPRequest) throws(DeviceError) -> HTTPResponse
    ) -> HTTPResponse {
        guard let changeToken else {
            return .text(
                403, "Apps are not shown or changed from other machines. Start the program with --apps-on-lan for that."
            )
        }
        // The address may carry the page's own token, which is another one.
        var bare = request
        bare.query = ""
        // Those were checked by the listener.
        bare.headers.removeAll { ["host", "origin"].contains($0.name.lowercased()) }
        if let refusal = HTTPAccessPolicy(token: changeToken).refusal(of: bare, needsToken: true) {
            return refusal.status == 401 ? .text(401, "This needs the token for changes.") : refusal
        }
        do throws(DeviceError) {
            var response = try body(request)
            response.headers.append(("Cache-Control", "no-store"))
            return response
        } catch {
            let status =
                switch error.code {
                case .notFound: 404
                case .invalidArgument: 400
                case .limitExceeded: 413
                default: 409
                }
            return .text(status, error.description)
        }
    }

    private func app(_ request: HTTPRequest) throws(DeviceError) -> LuaApp {
        guard let app = find()?.host.app(named: request.queryItem("app") ?? "") else {
            throw DeviceError(.notFound, "there is no such app")
        }
        return app
    }

    private func file(_ request: HTTPRequest) throws(DeviceError) -> (LuaApp, AppFolder, String) {
        let app = try app(request)
        guard let folder = AppFolder(app.configuration.source), let name = request.queryItem("file") else {
            throw DeviceError(.notFound, "the app has no files")
        }
        return (app, folder, name)
    }

    private func read(_ request: HTTPRequest) throws(DeviceError) -> HTTPResponse {
        let (_, folder, name) = try file(request)
        return HTTPResponse(
            contentType: "text/plain; charset=utf-8", body: ByteBuffer(bytes: try folder.read(name)))
    }

    private func save(_ request: HTTPRequest) throws(DeviceError) -> HTTPResponse {
        let (app, folder, name) = try file(request)
        try folder.write(Array(request.body.readableBytesView), to: name)
        // The watcher of files may be quicker; loading the same text twice does no harm.
        if app.statistics.state == .running { app.filesChanged([name]) } else { app.restart() }
        return .text(200, "Saved.")
    }

    private func command(_ request: HTTPRequest) throws(DeviceError) -> HTTPResponse {
        let command = request.queryItem("command")
        switch command {
        case "check": break
        case "start", "restart": try app(request).restart()
        case "stop": try app(request).stop()
        default:
            throw DeviceError(.invalidArgument, "there is no such command", hint: "Use start, restart or stop")
        }
        return .text(200, "done")
    }

    // MARK: What the page shows

    private func state(_ apps: DemoApps, after: UInt64) -> JSONValue {
        .object([
            "canChange": .bool(changeToken != nil), "newest": .integer(Int64(clamping: apps.trace.newest)),
            "apps": .array(apps.host.apps.map { describe($0) }),
            "trace": .array(
                apps.trace.lines(after: after).map { line in
                    .object([
                        "number": .integer(Int64(clamping: line.number)), "app": .string(line.app),
                        "text": .string(line.text), "isError": .bool(line.isError),
                    ])
                }),
            "lines": .array(
                apps.board.usedPins.map { pin in
                    .object([
                        "name": .string("\(pin.line)"), "user": .string(pin.app),
                        "isHigh": pin.isHigh.map { .bool($0) } ?? .null,
                    ])
                }),
        ])
    }

    /// What an app may use, by the names of the settings, and how much of it is in use where that is known.
    private func describe(_ limits: LuaLimits, _ figures: LuaAppStatistics) -> JSONValue {
        func row(_ name: String, _ limit: String, _ used: Int? = nil) -> JSONValue {
            .object([
                "name": .string(name), "limit": .string(limit), "used": used.map { .integer(Int64($0)) } ?? .null,
            ])
        }
        return .array([
            row("time", "\(limits.processorTime.wholeNanoseconds / 1_000_000) ms"),
            row("wall", "\(limits.wallTime.wholeNanoseconds / 1_000_000) ms"),
            row("timers", "\(limits.timers)", figures.timers), row("objects", "\(limits.objects)", figures.objects),
            row("threads", "\(limits.activations)", figures.waiting), row("pins", "\(limits.pins)"),
            row("sockets", "\(limits.sockets)"), row("files", "\(limits.files)"),
            row("disk", "\(limits.disk >> 10) KB"), row("events", "\(limits.queuedEvents)"),
            row("lines", "\(limits.linesPerSecond)/s"),
            row("faults", "\(limits.faults) in \(limits.faultWindow.wholeNanoseconds / 1_000_000_000) s"),
        ])
    }

    private func describe(_ permissions: LuaPermissions) -> JSONValue {
        .array(
            AppOptions.permissionKinds.map { kind in
                .object(["name": .string(kind.name), "grant": .string("\(permissions[kind])")])
            })
    }

    private func describe(_ app: LuaApp) -> JSONValue {
        let figures = app.statistics
        let limits = app.configuration.limits
        var reason = ""
        if case .backingOff(let time) = figures.state {
            let left = max(0, (time - app.configuration.now()).wholeNanoseconds / 1_000_000_000 + 1)
            reason = "too many faults, \(left) s left"
        }
        let share = Int64((figures.largestBudgetShare * Double(limits.instructions)).rounded())
        return .object([
            "name": .string(app.name), "state": .string(figures.state.name), "reason": .string(reason),
            "files": .array((AppFolder(app.configuration.source)?.names ?? []).map { .string($0) }),
            "memory": .integer(Int64(figures.memory)), "memoryLimit": .integer(Int64(limits.memory)),
            "instructions": .integer(share), "instructionLimit": .integer(limits.instructions),
            "runs": .integer(Int64(clamping: figures.activations)), "errors": .integer(Int64(clamping: figures.errors)),
            "kills": .integer(Int64(clamping: figures.kills)),
            "limits": describe(limits, figures), "permissions": describe(app.configuration.permissions),
            "lastError": figures.recentErrors.last.map { error in
                .string("\(error.activity): \(error.message)" + (error.count > 1 ? " (\(error.count) times)" : ""))
            } ?? .null,
        ])
    }
}
