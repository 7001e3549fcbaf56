import Bytes
import HangGuard
import Testing

@Suite("FNV-1a", .guarded)
struct FNV1aTests {
    /// From the reference's list of test vectors (draft-eastlake-fnv, appendix C).
    @Test(
        "gives the values of the reference implementation",
        arguments: [("", "cbf29ce484222325"), ("a", "af63dc4c8601ec8c"), ("foobar", "85944171f73967e8")])
    func vectors(text: String, digits: String) {
        var hash = FNV1a()
        for byte in text.utf8 { hash.combine(byte) }
        #expect(hash.value.hexDigits == digits)
    }
}
