import DeviceProtocols
import NIOCore

/// The simplest broker that is right: what each client must be sent, as text, in any order within one operation.
struct BrokerModel {
    struct Client {
        var uid: String
        var etid: UInt32
        var topics: Set<String> = []
        var observedTopics: Set<String> = []
        var observedPeers: Set<UInt32> = []
    }

    var clients: [Int: Client] = [:]
    var ids: [String: UInt32] = [:]
    /// What must come now.
    private(set) var expected: [Int: [String]] = [:]

    mutating func takeExpected() -> [Int: [String]] {
        defer { expected = [:] }
        return expected.mapValues { $0.sorted() }
    }

    /// What one client must be sent now.
    mutating func takeExpected(of client: Int) -> [String]? { expected.removeValue(forKey: client)?.sorted() }

    /// What a client that has lost its place must have been sent last.
    mutating func takeLast(_ client: Int) -> [String] { takeExpected(of: client) ?? [] }

    private mutating func tell(_ client: Int, _ what: String) { expected[client, default: []].append(what) }

    func count(_ topic: String) -> Int { clients.values.count { $0.topics.contains(topic) } }

    private mutating func tellObservers(of topic: String) {
        guard let id = ids[topic] else { return }
        let count = count(topic)
        for (key, client) in clients where client.observedTopics.contains(topic) { tell(key, "change \(id) \(count)") }
    }

    /// - Returns: the client that lost its place.
    mutating func open(_ key: Int, uid: String, etid: UInt32) -> Int? {
        let old = clients.first { $0.value.uid == uid }?.key
        if let old {
            tell(old, "disconnect reconnect")
            remove(old)
        }
        clients[key] = Client(uid: uid, etid: etid)
        return old
    }

    /// A client's end. Its address has an end too, unless another has inherited it.
    mutating func leave(_ key: Int) {
        guard let etid = clients[key]?.etid else { return }
        remove(key)
        for (other, client) in clients where client.observedPeers.contains(etid) {
            clients[other]?.observedPeers.remove(etid)
            tell(other, "change \(etid) 0")
        }
    }

    private mutating func remove(_ key: Int) {
        guard let client = clients.removeValue(forKey: key) else { return }
        for topic in client.topics { tellObservers(of: topic) }
    }

    mutating func subscribe(_ key: Int, _ topic: String) {
        if clients[key]?.topics.insert(topic).inserted == true { tellObservers(of: topic) }
    }

    mutating func unsubscribe(_ key: Int, _ topic: String) {
        if clients[key]?.topics.remove(topic) != nil { tellObservers(of: topic) }
    }

    mutating func observe(_ key: Int, _ id: UInt32) {
        if let topic = ids.first(where: { $0.value == id })?.key {
            clients[key]?.observedTopics.insert(topic)
            tell(key, "change \(id) \(count(topic))")
        } else if clients.values.contains(where: { $0.etid == id }) {
            clients[key]?.observedPeers.insert(id)
        } else {
            tell(key, "change \(id) 0")
        }
    }

    mutating func unobserve(_ key: Int, _ id: UInt32) {
        if let topic = ids.first(where: { $0.value == id })?.key { clients[key]?.observedTopics.remove(topic) }
        clients[key]?.observedPeers.remove(id)
    }

    mutating func publish(_ key: Int, to id: UInt32, _ payload: String) {
        guard let from = clients[key]?.etid else { return }
        let topic = ids.first { $0.value == id }?.key
        for (other, client) in clients where client.etid == id || topic.map(client.topics.contains) == true {
            tell(other, "publish \(id) \(from) \(payload)")
        }
    }
}
