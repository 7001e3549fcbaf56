import Bytes
import HangGuard
import TestKit
import Testing

@Suite("Texts compared by their bytes", .guarded)
struct SameTextTests {
    @Test("equal texts are the same, and a changed byte makes a difference at every position and length")
    func everyPosition() {
        for length in 0...70 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let isItself = bytes.span.isSame(as: bytes.span)
            #expect(isItself)
            for index in bytes.indices {
                var other = bytes
                other[index] ^= 1
                let isSame = bytes.span.isSame(as: other.span)
                #expect(!isSame, "length \(length), position \(index)")
            }
        }
    }

    @Test("a composed and a decomposed letter differ")
    func encodings() {
        #expect("\u{E9}" == "e\u{301}")
        #expect(!"\u{E9}".isSameText(as: "e\u{301}"))
    }

    @Test("appending copies every byte to the end")
    func appending() {
        var random = SeededRandom(seed: 1)
        for length in [0, 1, 15, 16, 17, 300] {
            let added = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            var bytes: [UInt8] = [1, 2]
            bytes.append(copying: added.span)
            #expect(bytes == [1, 2] + added)
            let copy = [UInt8](copying: added.span)
            #expect(copy == added)
        }
    }
}
