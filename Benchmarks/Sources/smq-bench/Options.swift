/// What the command line says.
struct Options {
    var brokers: [Target] = []
    var rounds = 5
    var seconds = 2.0
    var messages = Int.max
    var batch = 64
    var trips = 5000
    var rate = 1000
    var connections = 1000
    var publishes = 21
    var payloads = [32, 256]
    var parts: Set<String> = ["memory", "rtt", "rate", "fanout", "blast"]
    var json: String?
    var start: [String] = []
    var startLine = "Connected to"
    var limit = 900

    static let usage = """
        usage: smq-bench --broker NAME=[PID@]HOST:PORT/PATH [--broker ...] [options] [--start PROGRAM ARGUMENT...]

        Measures running SMQ brokers by turns and prints a table. The first one is compared with each other one.
        Give brokers that were started just before: their memory is measured first.

          --broker NAME=PID@HOST:PORT/PATH  a broker, for example ours=4711@127.0.0.1:8080/smq.lsp
          --broker NAME=NODE,NODE           two nodes of a cluster: publisher on the first, subscriber on the second
          --rounds N         how often everything is repeated (5); memory is measured in the first round only
          --only PART,...    of memory, rtt, rate, fanout, blast
          --payloads N,...   bytes in a publish, 16 to 60000 (32,256)
          --seconds S        of a blast and of a fixed rate (2)
          --messages N       end a blast after so many
          --batch N          frames in one write of a blast (64)
          --trips N          round trips (5000)
          --rate N           messages a second at the fixed rate (1000)
          --connections N    of memory and fan-out (1000)
          --publishes N      of a fan-out (21)
          --json FILE        all values for programs
          --limit S          end after so many seconds at the latest (900)
          --line TEXT        what the program of --start prints when it is ready ("Connected to")
          --start PROGRAM... a program whose start is timed; all that follows belongs to it

        Exit status: 0 done, 1 a measurement failed or a message was lost, 64 usage.

        """

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        func value(_ name: String) throws -> String {
            guard let text = rest.popFirst() else { throw BenchError("\(name) needs a value") }
            return text
        }
        func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
            let text = try value(name)
            guard let number = Int(text), range.contains(number) else {
                throw BenchError("\(name) \(text) is not a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        while let name = rest.popFirst() {
            switch name {
            case "--broker": brokers.append(try Target(try value(name)))
            case "--rounds": rounds = try number(name, 1...1000)
            case "--seconds": seconds = Double(try number(name, 1...60))
            case "--messages": messages = try number(name, 1...1_000_000_000)
            case "--batch": batch = try number(name, 1...10_000)
            case "--trips": trips = try number(name, 10...1_000_000)
            case "--rate": rate = try number(name, 1...100_000)
            case "--connections": connections = try number(name, 1...60_000)
            case "--publishes": publishes = try number(name, 1...10_000)
            case "--limit": limit = try number(name, 1...86_400)
            case "--json": json = try value(name)
            case "--line": startLine = try value(name)
            case "--only": parts = Set(try value(name).split(separator: ",").map(String.init))
            case "--payloads":
                payloads = try value(name).split(separator: ",").map { text in
                    guard let size = Int(text), (PublishBatch.minimumPayload...60_000).contains(size) else {
                        throw BenchError("a payload has 16 to 60000 bytes, not \(text)")
                    }
                    return size
                }
            case "--start":
                start = Array(rest)
                rest = []
            default: throw BenchError("\(name) is unknown")
            }
        }
        guard !brokers.isEmpty || !start.isEmpty else { throw BenchError("there is no --broker") }
        guard Set(brokers.map(\.name)).count == brokers.count else {
            throw BenchError("two brokers have the same name")
        }
    }
}
