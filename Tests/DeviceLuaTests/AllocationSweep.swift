import CLuaShim
import DeviceCore
import TestSupport
import Testing

@testable import DeviceLua

/// An app's state without its thread, in which the n-th allocation of a script fails, and all after it.
struct AllocationSweep {
    private let libraries: [LuaLibrary]
    private let directory: TemporaryDirectory

    init(_ libraries: [LuaLibrary]) throws {
        self.libraries = libraries
        directory = try TemporaryDirectory()
    }

    private func makeContext() throws -> LuaContext {
        var configuration = LuaAppConfiguration(name: "test", source: .directory(directory.path))
        configuration.limits.faults = 1_000_000
        for kind in [LuaPermissions.Kind.system, "hooks"] { configuration.permissions[kind] = .all }
        let context = try LuaContext(try LuaApp(configuration, workers: LuaWorkers()))
        for library in libraries { try context.install(library) }
        return context
    }

    private func start(_ script: String, _ context: LuaContext) throws {
        let function = compile(script, context)
        try #require(function >= 0, "\(String(cString: clua_error_text(context.host))): \(script)")
        context.start(.compiled(function), [], activity: "sweep")
        clua_unreference(context.host, function)
    }

    private func compile(_ script: String, _ context: LuaContext) -> Int32 {
        Array(script.utf8).withUnsafeBytes { bytes in
            clua_compile(context.host, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, "=x", 0)
        }
    }

    private func drain(_ context: LuaContext) {
        context.revoke(owner: 0)
        clua_collect(context.host)
        context.runFinalizers()
        context.drainReleased()
        context.drainReferences()
    }

    /// Lets every allocation of a script fail, one after the other: it gets an error, and nothing is left.
    func run(_ script: String) throws {
        let context = try makeContext()
        var failures = 0
        for after in Int64(0)..<3000 {
            let function = compile(script, context)
            try #require(function >= 0, "\(String(cString: clua_error_text(context.host))): \(script)")
            let before = clua_allocations(context.host)
            clua_fail_allocations(context.host, after, 1_000_000)
            context.start(.compiled(function), [], activity: "sweep")
            clua_fail_allocations(context.host, 0, 0)
            let hasFailed = clua_allocations(context.host) - before > after
            if hasFailed { failures += 1 }
            clua_unreference(context.host, function)
            // What was started goes on, without failures.
            while let action = context.deadlines.take(at: MonotonicTime(nanoseconds: .max)), after % 7 == 0 {
                action(context)
                if context.runningTimers > 0, context.statistics.activations > 100_000 { break }
            }
            drain(context)
            if !hasFailed { break }
        }
        #expect(failures > 0)
        #expect(failures < 3000)
        clua_collect(context.host)
        context.drainReleased()
        context.drainReferences()
        clua_collect(context.host)
        #expect(context.waits.isEmpty)
        #expect(context.objects.isEmpty, "\(context.objects.count)")
        #expect(context.runningTimers == 0)
        #expect(context.watches.isEmpty)
        #expect(clua_memory(context.host) < 80_000)
    }

    /// Functions of the libraries and of the classes of objects that none of the scripts uses.
    func missing(from scripts: [String]) throws -> [String] {
        let context = try makeContext()
        for script in scripts {
            try start(script, context)
            for _ in 0..<100 { context.deadlines.take(at: MonotonicTime(nanoseconds: .max))?(context) }
            drain(context)
        }
        var missing: [String] = []
        for index in libraries.indices {
            missing += unused(context, library: index, named: libraries[index].name)  // safe: own index
        }
        for (index, type) in context.classes.enumerated() {
            for (name, member) in type.members {
                guard case .function = member, context.numbers["1.\(index + 1).\(name)"] == nil else { continue }
                missing.append("\(type.name):\(name)")
            }
        }
        guard !missing.isEmpty else { return [] }
        return missing.sorted() + context.errors.records.map { "\($0.activity): \($0.message)" }
    }

    private func unused(_ context: LuaContext, library index: Int, named path: String) -> [String] {
        context.libraries[index].members.flatMap { name, member -> [String] in  // safe: numbers of its own
            let number = context.numbers["2.\(index).\(name)"]
            switch member {
            case .function: return number == nil ? ["\(path).\(name)"] : []
            case .library:
                return number.map { unused(context, library: Int($0), named: "\(path).\(name)") } ?? ["\(path).\(name)"]
            default: return []
            }
        }
    }
}
