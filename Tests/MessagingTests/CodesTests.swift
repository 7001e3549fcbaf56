import HangGuard
import Messaging
import Testing

@Suite("Close codes and error codes", .guarded)
struct CodesTests {
    @Test("Error codes are exactly the protocol's")
    func errorCodes() {
        #expect(
            Set(ErrorCode.allCases.map(\.rawValue)) == [
                "bad_json", "bad_request", "unknown_type", "unsupported", "not_connected", "already_connected", "invalid_token",
                "token_expired", "token_revoked", "subject_changed", "forbidden", "unknown_channel", "not_subscribed", "not_sent",
                "session_elsewhere", "position_unknown", "position_too_old", "too_large", "limit_exceeded", "rate_limited", "feature_off",
                "overloaded",
                "unavailable", "internal",
            ])
        #expect(ErrorCode.allCases.filter(\.isTemporary) == [.rateLimited, .featureOff, .overloaded, .unavailable, .internal])
    }

    @Test("Close codes are exactly the product's")
    func closeCodes() {
        #expect(
            EndReason.allCases.map(\.code) == [
                4000, 4003, 4008, 4009, 4010, 4100, 4101, 4102, 4103, 4104, 4105, 4200, 4201, 4202, 4300, 4301, 4302, 4304,
            ])
    }

    @Test(
        "The hundreds of a close code decide the advice, also for unknown codes",
        arguments: [
            (4000, .stop), (4050, .stop), (4099, .stop), (4100, .backOff), (4199, .backOff), (4200, .reconnect), (4299, .reconnect),
            (4300, .newToken), (4399, .newToken), (4400, .backOff), (3999, .backOff), (1000, .stop), (1006, .backOff), (1011, .backOff),
            (0, .backOff), (65535, .backOff),
        ] as [(UInt16, EndAdvice)])
    func advice(code: UInt16, advice: EndAdvice) {
        #expect(EndAdvice(code: code) == advice)
    }

    @Test("A reason's advice is the one of its code, and each code names its reason")
    func adviceOfReasons() {
        for reason in EndReason.allCases {
            #expect(reason.advice == EndAdvice(code: reason.code))
            #expect(EndReason(code: reason.code) == reason)
        }
        #expect(EndReason(code: 4001) == nil)
    }

    @Test("Every row has a full sentence and a short, plain, unique name")
    func rows() {
        let sentences =
            ErrorCode.allCases.flatMap { [$0.meaning, $0.advice] } + EndReason.allCases.map(\.meaning)
            + StandardCloseCode.allCases.map(\.meaning) + EndAdvice.allCases.map(\.meaning)
        for sentence in sentences {
            #expect(sentence.count > 10 && (sentence.hasSuffix(".") || sentence.hasSuffix(").")), "\(sentence)")
            #expect(!sentence.contains("|") && !sentence.contains("\n"))
        }
        for names in [ErrorCode.allCases.map(\.rawValue), EndReason.allCases.map(\.reason)] {
            #expect(Set(names).count == names.count)
            #expect(names.allSatisfy { $0.utf8.count <= 123 && $0.allSatisfy { $0 == "_" || ("a"..."z").contains($0) } })
        }
        #expect(Set(EndReason.allCases.map(\.meaning)).count == EndReason.allCases.count)
        #expect(Set(ErrorCode.allCases.map(\.meaning)).count == ErrorCode.allCases.count)
    }

    @Test("The tables for documents have every code")
    func tables() {
        let codes = EndReason.allCases.count + StandardCloseCode.allCases.count
        for (table, rows) in [(ErrorCode.markdownTable, ErrorCode.allCases.count), (EndReason.markdownTable, codes)] {
            let lines = table.split(separator: "\n")
            #expect(lines.count == rows + 2)
            #expect(lines.allSatisfy { $0.filter { $0 == "|" }.count == 5 })
            #expect(!table.contains("<") && !table.contains(">"), "would be taken for HTML")
        }
    }
}
