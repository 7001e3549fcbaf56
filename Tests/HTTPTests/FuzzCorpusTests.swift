import FuzzBodies
import HangGuard
import Testing

@Suite("Inputs that fuzzers found", .guarded)
struct FuzzCorpusTests {
    @Test func corpusInputsStillPass() throws {
        let corpus = try FuzzBody.head.corpus()
        #expect(corpus.count > 10)
        for input in corpus { FuzzBody.head.run(input) }
    }
}
