import HangGuard
import Testing

@testable import CEL

@Suite("CEL: an expression that was printed is parsed to the same tree", .guarded)
struct RoundTripTests {
    /// Makes random trees that the grammar can express.
    struct Maker {
        var random: SeededBits

        mutating func expression(_ depth: Int) -> Expression {
            guard depth > 1 else { return Expression(leaf(), at: 0) }
            let kind: Expression.Kind
            switch random.below(11) {
            case 0: kind = .select(expression(depth - 1), name())
            case 1: kind = .index(expression(depth - 1), expression(depth - 1))
            case 2: kind = .call(target: nil, function: name(), arguments: list(depth - 1))
            case 3: kind = .call(target: expression(depth - 1), function: name(), arguments: list(depth - 1))
            case 4: kind = .list(list(depth - 1))
            case 5: kind = .not(expression(depth - 1))
            case 6: kind = .negate(expression(depth - 1))
            case 7: kind = .conditional(expression(depth - 1), expression(depth - 1), expression(depth - 1))
            case 8: kind = .logic(random.below(2) == 0 ? .and : .or, [expression(depth - 1), expression(depth - 1)] + list(depth - 1))
            default:
                let symbol = BinaryOperator.allCases[random.below(BinaryOperator.allCases.count)]
                kind = .binary(symbol, expression(depth - 1), expression(depth - 1))
            }
            return Expression(kind, at: 0)
        }

        private mutating func list(_ depth: Int) -> [Expression] { (0..<random.below(3)).map { _ in expression(depth) } }

        private mutating func name() -> String { ["a", "size", "_b1", "after", "getHours"][random.below(5)] }

        private mutating func leaf() -> Expression.Kind {
            let literals: [CELValue] = [
                .null, .bool(true), .bool(false), .int(0), .int(7), .int(-7), .int(.min), .int(.max), .double(0.5), .double(-0.0),
                .double(-2.5),
                .double(1e300), .double(.leastNonzeroMagnitude), .string(""), .string("a\"b\\c\n\r\t'`é\u{0}\u{1F393}"), .bytes([]),
                .bytes([0, 65, 255]),
            ]
            let index = random.below(literals.count * 2)
            return index < literals.count ? .literal(literals[index]) : .name(name())
        }
    }

    @Test("Random trees", arguments: [1, 2, 3, 4])
    func random(seed: Int) throws {
        var maker = Maker(random: SeededBits(state: UInt64(seed)))
        var limits = CELLimits.standard
        limits.textBytes = 100_000
        for _ in 0..<2_000 {
            let tree = maker.expression(1 + maker.random.below(6))
            let text = tree.description
            let parsed = try Parser.parse(text, limits)
            #expect(parsed == tree, "\(text)")
            #expect(parsed.description == text)
        }
    }
}
