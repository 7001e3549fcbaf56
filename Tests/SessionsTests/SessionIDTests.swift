import HangGuard
import Messaging
import Testing

@testable import Sessions

@Suite("Session ids", .guarded)
struct SessionIDTests {
    @Test func idsAreUniqueAndShort() {
        let ids = (0..<50).flatMap { _ in SessionIDs.make() }
        #expect(Set(ids).count == ids.count && ids.count >= 50)
        for id in ids {
            #expect(id.utf8.count == 15)
            #expect(id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        }
    }
}
