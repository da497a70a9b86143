/// What is wrong with a configuration: a sentence for each, with its place. Collected, so that a person sees all at once.
///
/// A class, because the sections of one file are read by several readers. It is used by one thread while files are read.
final class ConfigurationProblems {
    /// Further problems are counted only: a file of a megabyte could hold very many.
    static let limit = 50

    private(set) var sentences: [String] = []
    private(set) var more = 0

    var isEmpty: Bool { sentences.isEmpty }

    /// `place: what. What to do.`
    func add(_ place: String, _ what: String, hint: String? = nil) {
        guard sentences.count < Self.limit else {
            more += 1
            return
        }
        sentences.append("\(place): \(what)." + (hint.map { " \($0)." } ?? ""))
    }

    /// All sentences, one a line.
    var text: String {
        (sentences + (more > 0 ? ["... and \(more) more."] : [])).joined(separator: "\n")
    }
}
