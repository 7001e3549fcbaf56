import CEL
import Foundation
import HangGuard
import Testing

@Suite("CEL: the document of the language", .guarded)
struct DocumentTests {
    static let document = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "docs/reference/conditions.md")

    static let declarations = CELDeclarations(
        row: CELRecord(["status": .string, "grade": .int, "deadline": .timestamp, "tags": .list(.string)]), variables: ["now": .timestamp])

    @Test("Each example of the document is a condition")
    func examples() throws {
        let text = try String(contentsOf: Self.document, encoding: .utf8)
        let examples = text.matches(of: /```cel\n(?<example>[^`]+)```/).map { String($0.output.example) }
        #expect(examples.count == 5)
        for example in examples {
            #expect(throws: Never.self, "\(example)") { try CELCondition(example, declarations: Self.declarations) }
        }
    }

    @Test("The document has the default limits")
    func limits() throws {
        let text = try String(contentsOf: Self.document, encoding: .utf8)
        let limits = CELLimits.standard
        #expect(limits.textBytes == 4_096 && text.contains("| 4,096 bytes | refused |"))
        #expect(limits.depth == 48 && text.contains("| 48 levels | refused |"))
        #expect(limits.cost == 300_000 && text.contains("| 300,000 steps | refused |"))
        #expect(limits.stringBytes == 65_536 && text.contains("| 64 KiB | an error"))
        #expect(limits.listElements == 256 && text.contains("| 256 elements | an error"))
    }
}
