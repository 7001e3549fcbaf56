import FuzzBodies
import Testing

@Suite("What fuzzing has found")
struct CorpusTests {
    @Test("stays harmless")
    func replay() throws {
        let corpus = try FuzzBody.token.corpus()
        #expect(corpus.count > 20)
        for input in corpus { FuzzBody.token.run(input) }
    }
}
