import Testing

@testable import DeviceLua
@testable import LuaMutator

@Suite struct MutatorTests {
    /// A short run of what `LuaMutator` does for hours.
    @Test func mutatedScriptsDisturbNobody() async throws {
        let summary = try await Run(try Options(["--scripts", "150", "--seed", "3", "--seconds", "3600"])).run()
        #expect(summary.hasPrefix("150 scripts from seed 3"))
    }

    @Test func theSameSeedGivesTheSameScripts() {
        var one = ScriptMutator(corpus: Seeds.scripts.map { Array($0.utf8) }, seed: 5)
        var other = ScriptMutator(corpus: Seeds.scripts.map { Array($0.utf8) }, seed: 5)
        for _ in 0..<50 { #expect(one.next() == other.next()) }
    }
}
