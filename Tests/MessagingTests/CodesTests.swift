import JSON
import Messaging
import Testing

@Suite("Close codes and error codes")
struct CodesTests {
    @Test("Error codes are exactly the protocol's")
    func errorCodes() {
        #expect(
            Set(ErrorCode.allCases.map(\.rawValue)) == [
                "bad_json", "bad_request", "unknown_type", "not_connected", "already_connected", "invalid_token", "token_expired",
                "token_revoked", "subject_changed", "forbidden", "unknown_channel", "not_subscribed", "not_sent", "position_unknown",
                "too_large", "limit_exceeded", "rate_limited", "overloaded", "unavailable", "internal",
            ])
        #expect(ErrorCode.allCases.filter(\.isTemporary) == [.rateLimited, .overloaded, .unavailable, .internal])
    }

    @Test("Close codes are exactly the product's")
    func closeCodes() {
        #expect(
            CloseCode.allCases.map(\.rawValue) == [
                4000, 4003, 4008, 4009, 4010, 4100, 4101, 4102, 4103, 4104, 4105, 4200, 4201, 4300, 4301, 4302, 4304,
            ])
    }

    @Test(
        "Advice follows the hundreds, for codes never heard of too",
        arguments: [
            (4000, .stop), (4050, .stop), (4099, .stop), (4100, .backOff), (4199, .backOff), (4200, .reconnect), (4299, .reconnect),
            (4300, .newToken), (4399, .newToken), (4400, .backOff), (3999, .backOff), (1000, .stop), (1006, .backOff), (1011, .backOff),
            (0, .backOff), (65535, .backOff),
        ] as [(UInt16, CloseAdvice)])
    func advice(code: UInt16, advice: CloseAdvice) {
        #expect(CloseAdvice(code: code) == advice)
    }

    @Test("Every row is a full sentence and its name is short, plain and its own")
    func rows() {
        let sentences =
            ErrorCode.allCases.flatMap { [$0.meaning, $0.advice] } + CloseCode.allCases.map(\.meaning)
            + StandardCloseCode.allCases.map(\.meaning) + CloseAdvice.allCases.map(\.meaning)
        for sentence in sentences {
            #expect(sentence.count > 10 && (sentence.hasSuffix(".") || sentence.hasSuffix(").")), "\(sentence)")
            #expect(!sentence.contains("|") && !sentence.contains("\n"))
        }
        for names in [ErrorCode.allCases.map(\.rawValue), CloseCode.allCases.map(\.reason)] {
            #expect(Set(names).count == names.count)
            #expect(names.allSatisfy { $0.utf8.count <= 123 && $0.allSatisfy { $0 == "_" || ("a"..."z").contains($0) } })
        }
        #expect(Set(CloseCode.allCases.map(\.meaning)).count == CloseCode.allCases.count)
        #expect(Set(ErrorCode.allCases.map(\.meaning)).count == ErrorCode.allCases.count)
    }

    @Test("The tables for documents and clients hold every code")
    func tables() throws {
        let errors = try #require(try JSONValue.parse(ErrorCode.jsonTable).array)
        #expect(errors.map { $0["code"]?.string } == ErrorCode.allCases.map(\.rawValue))
        #expect(errors.map { $0["temporary"]?.bool } == ErrorCode.allCases.map(\.isTemporary))
        let closes = try #require(try JSONValue.parse(CloseCode.jsonTable).array)
        let codes = CloseCode.allCases.map(\.rawValue) + StandardCloseCode.allCases.map(\.rawValue)
        #expect(closes.map { $0["code"]?.uint64 } == codes.map(UInt64.init))
        #expect(closes.map { $0["advice"]?.string } == codes.map { CloseAdvice(code: $0).rawValue })
        for (table, rows) in [(ErrorCode.markdownTable, ErrorCode.allCases.count), (CloseCode.markdownTable, codes.count)] {
            let lines = table.split(separator: "\n")
            #expect(lines.count == rows + 2)
            #expect(lines.allSatisfy { $0.filter { $0 == "|" }.count == 5 })
            #expect(!table.contains("<") && !table.contains(">"), "would be taken for HTML")
        }
    }
}
