import Foundation

@testable import CEL

/// A file of `Fixtures/cel`.
struct CaseFile: Sendable, CustomStringConvertible {
    enum Expected: Equatable {
        case value(String)
        case error(String)
        case refused(String)
    }

    struct Case: CustomStringConvertible {
        let line: Int
        let expression: String
        let expected: Expected

        var description: String { "line \(line): \(expression)" }
    }

    let name: String
    let count: Int

    var description: String { name }

    func cases() throws -> [Case] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: folder.appending(path: "Fixtures/cel/\(name)"), encoding: .utf8)
        return try text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
            guard !line.isEmpty, !line.hasPrefix("#") else { return nil }
            guard let arrow = line.range(of: " => ", options: .backwards) else { throw CaseError(line: index + 1) }
            return Case(line: index + 1, expression: String(line[..<arrow.lowerBound]), expected: Self.expected(line[arrow.upperBound...]))
        }
    }

    private static func expected(_ text: Substring) -> Expected {
        if text.hasPrefix("error ") { return .error(String(text.dropFirst(6))) }
        if text.hasPrefix("refused ") { return .refused(String(text.dropFirst(8))) }
        return .value(String(text))
    }
}

struct CaseError: Error { let line: Int }

/// The variables of the cases, as `Fixtures/cel/README.md` lists them.
enum CaseVariables {
    static let declarations = CELDeclarations(
        variables: [
            "flag": .bool, "n": .int, "x": .dyn, "word": .string, "zero": .list(.int), "tags": .list(.string), "mixed": .dyn,
            "m": .map(.dyn),
            "start": .timestamp,
        ], records: ["claims": .open])

    static let values: [String: CELValue] = [
        "flag": .bool(true), "n": .int(7), "x": .int(15), "word": .string("école"), "zero": .list([.int(0)]),
        "tags": .list([.string("art"), .string("music")]), "mixed": .list([.int(1), .string("two"), .int(3)]),
        "m": .map(["name": .string("Ada"), "age": .int(36), "none": .null, "deep": .map(["k": .string("v")])]),
        "start": CELTimestamp("2026-02-28T22:30:15.250Z").map { .timestamp($0) } ?? .null, "claims.role": .string("teacher"),
    ]

    /// The value of an expression as a literal, or its error, in the words of the case files.
    static func result(of text: String, limits: CELLimits = .standard) -> CaseFile.Expected {
        do throws(Fault) {
            let (program, _) = try Checker.check(try Parser.parse(text, limits), declarations, limits)
            do throws(StepFailure) {
                return .value(try Evaluator(program).run(program.root) { values[program.inputs[$0].description] }.literalText)
            } catch {
                return .error(error.reason.description)
            }
        } catch {
            return .refused(error.message)
        }
    }
}

extension CaseFile.Expected {
    func isMet(by result: CaseFile.Expected) -> Bool {
        switch (self, result) {
        case (.value(let expected), .value(let text)): expected == text
        case (.error(let part), .error(let message)), (.refused(let part), .refused(let message)): message.contains(part)
        default: false
        }
    }
}
