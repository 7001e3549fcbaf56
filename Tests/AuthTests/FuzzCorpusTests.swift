import FuzzBodies
import HangGuard
import Testing

@Suite("Inputs that fuzzers found", .guarded)
struct CorpusTests {
    @Test("inputs that once crashed a parser are refused")
    func replay() throws {
        let corpus = try FuzzBody.token.corpus()
        #expect(corpus.count > 20)
        for input in corpus { FuzzBody.token.run(input) }
    }
}
