import Foundation
import HangGuard
import JSON
import Testing

@Suite("Comparison with Foundation", .guarded)
struct JSONOracleTests {
    @Test("An accepted text has the same value in Foundation", arguments: [1, 2, 3, 4] as [UInt64])
    func agreement(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let corpus = JSONGrammarTests.accepted.map { Array($0.0.utf8) } + JSONGrammarTests.refused.map(\.bytes)
        var accepted = 0
        for _ in 0..<20_000 {
            var bytes = corpus[Int(random.next() % UInt64(corpus.count))]
            for _ in 0...random.next() % 3 where !bytes.isEmpty {
                let i = Int(random.next() % UInt64(bytes.count))
                let telling = Array("\"\\,:[]{}0123456789eE+-.utrnfals \n".utf8) + [0x00, 0x80, 0xC3, 0xED, 0xFF]
                let byte = telling[Int(random.next() % UInt64(telling.count))]
                switch random.next() % 3 {
                case 0: bytes[i] = byte
                case 1: bytes.insert(byte, at: i)
                default: bytes.remove(at: i)
                }
            }
            guard let value = try? JSONValue.parse(bytes) else { continue }
            accepted += 1
            // Foundation refuses numbers beyond a double; RFC 8259 §6 leaves that to the reader.
            if holdsHugeNumber(value) { continue }
            let theirs = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(isSame(value, theirs), "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(accepted > 1_000)
    }

    private func holdsHugeNumber(_ value: JSONValue) -> Bool {
        switch value {
        case .number(let number): number.double == nil
        case .array(let elements): elements.contains(where: holdsHugeNumber)
        case .object(let object): object.members.contains { holdsHugeNumber($0.value) }
        case .null, .bool, .string: false
        }
    }

    /// Foundation goes by way of a decimal number and so misses the nearest double by a few units of the last place.
    private func isNear(_ ours: Double?, _ theirs: Double?) -> Bool {
        guard let ours, let theirs else { return false }
        return abs(ours - theirs) <= abs(ours) * 1e-14
    }

    private func isSame(_ ours: JSONValue, _ theirs: Any) -> Bool {
        switch ours {
        case .null: theirs is NSNull
        case .bool(let value): (theirs as? Bool) == value
        case .number(let number): isNear(number.double, (theirs as? NSNumber)?.doubleValue)
        case .string(let text): (theirs as? String).map { Array($0.utf8) } == Array(text.utf8)
        case .array(let elements):
            (theirs as? [Any]).map { $0.count == elements.count && zip(elements, $0).allSatisfy(isSame) } ?? false
        case .object(let object):
            // Its dictionary takes two encodings of one letter for one name.
            (theirs as? [String: Any]).map { theirs in
                Set(object.members.map(\.name)).count < object.count
                    || theirs.count == object.count
                        && object.members.allSatisfy { member in theirs[member.name].map { isSame(member.value, $0) } ?? false }
            } ?? false
        }
    }
}

private struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
