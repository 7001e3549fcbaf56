import CEL
import HangGuard
import Testing

/// The rules of CEL's conformance suite (`tests/simple/testdata` of google/cel-spec), as cases of our own in `Fixtures/cel`.
///
/// Covered are the suite's files basic, comparisons, conversions, fields, fp_math, integer_math, lists, logic, macros (exists, all and has),
/// parse, string and timestamps. Not covered are its parts on unsigned integers, map and message literals, type values, time zones, regular
/// expressions, optional values, and its files on protobuf, enums, name spaces and extensions: the language leaves them out.
@Suite("CEL: the rules of the conformance suite", .guarded)
struct ConformanceTests {
    static let files = [
        CaseFile(name: "basic.txt", count: 34), CaseFile(name: "comparisons.txt", count: 106), CaseFile(name: "conversions.txt", count: 40),
        CaseFile(name: "fields.txt", count: 30), CaseFile(name: "fp_math.txt", count: 21), CaseFile(name: "integer_math.txt", count: 43),
        CaseFile(name: "lists.txt", count: 28), CaseFile(name: "logic.txt", count: 45), CaseFile(name: "macros.txt", count: 44),
        CaseFile(name: "parse.txt", count: 54), CaseFile(name: "string.txt", count: 39), CaseFile(name: "timestamps.txt", count: 85),
    ]

    @Test("Each case gives what its line says", arguments: files)
    func cases(file: CaseFile) throws {
        let cases = try file.cases()
        #expect(cases.count == file.count, "the number of cases in \(file)")
        for item in cases {
            let result = CaseVariables.result(of: item.expression)
            #expect(item.expected.isMet(by: result), "\(file) \(item): \(result)")
        }
    }
}
