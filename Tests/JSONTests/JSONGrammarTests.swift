import HangGuard
import JSON
import Testing

@Suite("The grammar of RFC 8259", .guarded)
struct JSONGrammarTests {
    struct Refused: Sendable, CustomTestStringConvertible {
        let bytes: [UInt8]
        let reason: JSONError.Reason
        let offset: Int
        init(_ text: String, _ reason: JSONError.Reason, _ offset: Int) {
            (bytes, self.reason, self.offset) = (Array(text.utf8), reason, offset)
        }
        init(_ bytes: [UInt8], _ reason: JSONError.Reason, _ offset: Int) {
            (self.bytes, self.reason, self.offset) = (bytes, reason, offset)
        }
        var testDescription: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// Each text and its compact form.
    static let accepted: [(String, String)] = [
        ("null", "null"), ("true", "true"), ("false", "false"), (" \t\r\n null \n", "null"),
        ("0", "0"), ("-0", "-0"), ("10", "10"), ("-1.5e+10", "-1.5e+10"), ("1E2", "1E2"), ("0.0", "0.0"), ("0e0", "0e0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"), ("1e999", "1e999"),
        ("\"\"", "\"\""), ("\"a\u{7F}b\"", "\"a\u{7F}b\""), ("\"\\/\"", "\"/\""), ("\"\\u0041\"", "\"A\""),
        (#""\"\\\b\f\n\r\t""#, #""\"\\\b\f\n\r\t""#), (#""\u0000\u001f""#, #""\u0000\u001f""#),
        (#""\ud83d\ude00""#, "\"😀\""), (#""\uD83D\uDE00x""#, "\"😀x\""), (#""\u00e9\u20AC\uFFFF""#, "\"é€\u{FFFF}\""),
        ("\"é€😀\u{10FFFF}\"", "\"é€😀\u{10FFFF}\""),
        ("[]", "[]"), ("[ ]", "[]"), ("[1 , 2]", "[1,2]"), ("[[[]],{}]", "[[[]],{}]"),
        ("{}", "{}"), ("{ }", "{}"), (#"{"a":{"a":[{"a":1}]}}"#, #"{"a":{"a":[{"a":1}]}}"#), (#"{ "" : null }"#, #"{"":null}"#),
        (#"{"a":1,"A":2}"#, #"{"a":1,"A":2}"#),
        // One letter to a reader, two names to JSON.
        ("{\"\u{E9}\":1,\"e\u{301}\":2}", "{\"\u{E9}\":1,\"e\u{301}\":2}"),
    ]

    static let refused: [Refused] = [
        .init("", .endOfInput, 0), .init("  ", .endOfInput, 2), .init("nul", .endOfInput, 3), .init("nulx", .badLiteral, 0),
        .init("True", .unexpectedByte, 0), .init("nan", .badLiteral, 0), .init("NaN", .unexpectedByte, 0),
        .init("truefalse", .trailingBytes, 4), .init("1 2", .trailingBytes, 2), .init("[] x", .trailingBytes, 3),
        .init("\u{FEFF}1", .unexpectedByte, 0), .init("\u{A0}1", .unexpectedByte, 0), .init("\u{0C}1", .unexpectedByte, 0),
        .init("01", .badNumber, 1), .init("-01", .badNumber, 2), .init("-", .endOfInput, 1), .init("+1", .unexpectedByte, 0),
        .init(".5", .unexpectedByte, 0), .init("1.", .endOfInput, 2), .init("1.x", .badNumber, 2), .init("1e", .endOfInput, 2),
        .init("1e+", .endOfInput, 3), .init("1ee1", .badNumber, 2), .init("1.5.2", .badNumber, 3), .init("0x10", .badNumber, 1),
        .init("1_000", .badNumber, 1), .init("-Infinity", .badNumber, 1), .init("--1", .badNumber, 1), .init("1+1", .badNumber, 1),
        .init("\"", .endOfInput, 1), .init("\"a", .endOfInput, 2), .init("\"\\\"", .endOfInput, 3), .init("\"\\", .endOfInput, 2),
        .init("'a'", .unexpectedByte, 0), .init("\"\n\"", .controlCharacter, 1), .init([0x22, 0x00, 0x22], .controlCharacter, 1),
        .init("\"\u{1F}\"", .controlCharacter, 1), .init(#""\x41""#, .badEscape, 1), .init(#""\U0041""#, .badEscape, 1),
        .init(#""\u004""#, .badEscape, 1), .init(#""\u00g1""#, .badEscape, 1), .init(#""\u"#, .endOfInput, 3),
        .init(#""\ud800""#, .loneSurrogate, 1), .init(#""\udc00""#, .loneSurrogate, 1), .init(#""\ud800\ud800""#, .loneSurrogate, 1),
        .init(#""\ud800x""#, .loneSurrogate, 1), .init(#""\ud800\n""#, .loneSurrogate, 1), .init(#""\udc00\ud800""#, .loneSurrogate, 1),
        .init([0x22, 0xFF, 0x22], .badUTF8, 1), .init([0x22, 0x80, 0x22], .badUTF8, 1), .init([0x22, 0xC0, 0x80, 0x22], .badUTF8, 1),
        .init([0x22, 0xC1, 0xBF, 0x22], .badUTF8, 1), .init([0x22, 0xE0, 0x9F, 0xBF, 0x22], .badUTF8, 1),
        .init([0x22, 0xED, 0xA0, 0x80, 0x22], .badUTF8, 1), .init([0x22, 0xF0, 0x8F, 0xBF, 0xBF, 0x22], .badUTF8, 1),
        .init([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], .badUTF8, 1), .init([0x22, 0xF5, 0x80, 0x80, 0x80, 0x22], .badUTF8, 1),
        .init([0x22, 0xE2, 0x82, 0x22], .badUTF8, 1), .init([0x22, 0xE2], .badUTF8, 1),
        .init([0xEF, 0xBB, 0xBF, 0x31], .unexpectedByte, 0),
        .init("[", .endOfInput, 1), .init("[1", .endOfInput, 2), .init("[1,", .endOfInput, 3), .init("[1,]", .unexpectedByte, 3),
        .init("[,1]", .unexpectedByte, 1), .init("[1 2]", .unexpectedByte, 3), .init("[1}", .unexpectedByte, 2),
        .init("]", .unexpectedByte, 0),
        .init("{", .endOfInput, 1), .init("{a:1}", .unexpectedByte, 1), .init(#"{"a"}"#, .unexpectedByte, 4),
        .init(#"{"a":}"#, .unexpectedByte, 5),
        .init(#"{"a":1,}"#, .unexpectedByte, 7), .init(#"{"a":1]"#, .unexpectedByte, 6), .init(#"{"a" 1}"#, .unexpectedByte, 5),
        .init(#"{1:1}"#, .unexpectedByte, 1), .init(#"{"a":1 "b":2}"#, .unexpectedByte, 7), .init("[1]// no", .trailingBytes, 3),
        .init(#"{"a":1,"a":1}"#, .duplicateMember, 7), .init(#"{"a":1,"\u0061":1}"#, .duplicateMember, 7),
        .init(#"[{"b":{"":1,"":1}}]"#, .duplicateMember, 12),
    ]

    @Test("An acceptable text parses, and writes compactly", arguments: accepted)
    func accepts(text: String, compact: String) throws {
        let value = try JSONValue.parse(text)
        #expect(value.text == compact)
        #expect(try JSONValue.parse(value.text) == value)
    }

    @Test("A text that breaks a rule is refused with the rule and the offset", arguments: refused)
    func refuses(_ vector: Refused) {
        #expect(throws: JSONError(vector.reason, at: vector.offset)) { try JSONValue.parse(vector.bytes) }
    }

    @Test("The scanner refuses the same texts for the same reasons, except duplicates", arguments: refused)
    func scannerAgrees(_ vector: Refused) {
        var found: JSONError?
        do throws(JSONError) {
            var scanner = JSONScanner(vector.bytes.span)
            _ = try scanner.value(in: vector.bytes.span)
            try scanner.finish(in: vector.bytes.span)
        } catch {
            found = error
        }
        #expect(found == (vector.reason == .duplicateMember ? nil : JSONError(vector.reason, at: vector.offset)))
    }

    @Test(
        "No truncated text traps, and only a shortened number or trailing space leaves a valid text",
        arguments: accepted.map(\.0) + refused.map(\.testDescription))
    func everyCut(text: String) throws {
        let bytes = Array(text.utf8)
        for cut in 0..<bytes.count {
            guard let value = try? JSONValue.parse(Array(bytes[..<cut])) else { continue }
            #expect(value.kind == .number || bytes[cut...].allSatisfy { $0 <= 0x20 } || (try? JSONValue.parse(bytes)) == nil)
        }
    }

    @Test("A text with one changed byte is accepted or refused, and never traps")
    func flippedBytes() {
        let original = Array(#"{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00é",{"b":null}],"c":true}"#.utf8)
        var accepted = 0
        for i in original.indices {
            for byte in UInt8.min...UInt8.max {
                var bytes = original
                bytes[i] = byte
                guard let value = try? JSONValue.parse(bytes) else { continue }
                accepted += 1
                #expect((try? JSONValue.parse(value.text)) == value)
            }
        }
        #expect(accepted > original.count)
    }
}
