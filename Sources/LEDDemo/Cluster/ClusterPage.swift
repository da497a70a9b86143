import DeviceCore
import DeviceTransport
import DeviceWeb
import NIOCore

/// The routes of the demo's page: the page, its files, its state, and the commands to nodes.
enum ClusterPage {
    /// - Parameters:
    ///   - token: stands in the page, and has to come with every command: another program's page cannot read it.
    ///   - frames: the addresses of the nodes' pages.
    ///   - state: all that the page shows, of this moment.
    ///   - command: obeys; false when the command makes no sense now.
    static func routes(
        token: String, frames: [String], state: @escaping @Sendable () -> ClusterState,
        command: @escaping @Sendable (_ node: Int, _ command: NodeStateMachine.Command) async -> Bool
    ) -> HTTPRoutes {
        var routes = WebPages.demoRoutes(token: token, frames: frames)
        routes.page("/state.json") { _ in
            var response = HTTPResponse(
                contentType: "application/json", body: ByteBuffer(string: state().json))
            response.headers.append(("Cache-Control", "no-store"))
            return response
        }
        let access = HTTPAccessPolicy(token: token)
        routes.action("/node") { request in
            if let refusal = access.refusal(of: request, needsToken: true) { return refusal }
            guard let node = request.queryItem("node").flatMap({ Int($0) }),
                let wanted = request.queryItem("command").flatMap({ NodeStateMachine.Command(rawValue: $0) })
            else { return .text(400, "Ask for /node?node=0&command=stop, start, freeze or resume.") }
            let isDone = await command(node, wanted)
            return isDone
                ? .text(200, "done") : .text(409, "The node cannot do that now, or there is no such node.")
        }
        return routes
    }
}
