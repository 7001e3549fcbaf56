import Foundation
import Testing

@testable import Messaging

/// docs/reference/protocol.md shows the tables that the code answers from.
@Suite("Protocol document")
struct ProtocolDocumentTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("The code tables of the document are those of the code")
    func tablesAgree() throws {
        let document = try String(contentsOf: Self.root.appending(path: "docs/reference/protocol.md"), encoding: .utf8)
        let begin = try #require(document.range(of: "<!-- codes:begin -->\n"))
        let end = try #require(document.range(of: "<!-- codes:end -->", range: begin.upperBound..<document.endIndex))
        let expected = "### Close codes\n\n\(CloseCode.markdownTable)\n### Error codes\n\n\(ErrorCode.markdownTable)"
        #expect(String(document[begin.upperBound..<end.lowerBound]) == expected)
    }

    @Test("The codes said to be reserved are those that nothing sends")
    func reservedCodes() throws {
        let closing = try Self.lines(of: ["Sources/Hub"]).filter { $0.contains("close(") || $0.contains(".end(") }
        for code in CloseCode.allCases {
            #expect(closing.contains { Self.names($0, "\(code)") } == !code.isReserved, "\(code)")
        }
        let refusing = try Self.lines(of: ["Sources/Hub/Serving", "Sources/Messaging/Session", "Sources/Messaging/Protocol"])
            .filter { !$0.contains("case .") }
        for code in ErrorCode.allCases {
            #expect(refusing.contains { Self.names($0, "\(code)") } == !code.isReserved, "\(code)")
        }
    }

    private static func names(_ line: Substring, _ name: String) -> Bool {
        line.split { !$0.isLetter && $0 != "." }.contains { $0.hasSuffix("." + name) }
    }

    private static func lines(of folders: [String]) throws -> [Substring] {
        try folders.flatMap { folder -> [Substring] in
            let files = FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil)
            let sources = (files?.compactMap { $0 as? URL } ?? []).filter {
                $0.pathExtension == "swift" && !["ErrorCode.swift", "CloseCode.swift"].contains($0.lastPathComponent)
            }
            return try sources.flatMap { try String(contentsOf: $0, encoding: .utf8).split(separator: "\n") }
        }
    }

    @Test("Every command has a definition in the schema, and no other")
    func commandsAgree() throws {
        let data = try Data(contentsOf: Self.root.appending(path: "docs/reference/schemas/client-command.json"))
        let schema = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let alternatives = try #require(schema["oneOf"] as? [[String: String]])
        let names = alternatives.compactMap { $0["$ref"]?.split(separator: "/").last.map(String.init) }
        #expect(names.sorted() == ClientCommand.Kind.allCases.map(\.rawValue).sorted())
    }
}
