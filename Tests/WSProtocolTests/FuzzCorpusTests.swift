import FuzzBodies
import HangGuard
import Testing

@Suite("Inputs that fuzzers found", .guarded)
struct FuzzCorpusTests {
    @Test(arguments: [FuzzBody.frames, .handshake, .inflate])
    func corpusInputsStillPass(body: FuzzBody) throws {
        let corpus = try body.corpus()
        #expect(corpus.count > 10)
        for input in corpus { body.run(input) }
    }
}
