import Foundation
import Testing

@testable import Messaging

/// docs/PROTOCOL.md shows the tables that the code answers from.
@Suite("Protocol document")
struct ProtocolDocumentTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("The code tables of the document are those of the code")
    func tablesAgree() throws {
        let document = try String(contentsOf: Self.root.appending(path: "docs/PROTOCOL.md"), encoding: .utf8)
        let begin = try #require(document.range(of: "<!-- codes:begin -->\n"))
        let end = try #require(document.range(of: "<!-- codes:end -->", range: begin.upperBound..<document.endIndex))
        let expected = "### Close codes\n\n\(CloseCode.markdownTable)\n### Error codes\n\n\(ErrorCode.markdownTable)"
        #expect(String(document[begin.upperBound..<end.lowerBound]) == expected)
    }

    @Test("Every command has a definition in the schema, and no other")
    func commandsAgree() throws {
        let data = try Data(contentsOf: Self.root.appending(path: "docs/schemas/client-command.json"))
        let schema = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let alternatives = try #require(schema["oneOf"] as? [[String: String]])
        let names = alternatives.compactMap { $0["$ref"]?.split(separator: "/").last.map(String.init) }
        #expect(names.sorted() == ClientCommand.Kind.allCases.map(\.rawValue).sorted())
    }
}
