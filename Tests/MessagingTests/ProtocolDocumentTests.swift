import Foundation
import HangGuard
import Testing

@testable import Messaging

/// The parts of the protocol's documents that are made from the code. `make documents` writes them; without it the tests compare.
@Suite("Protocol document", .guarded)
struct ProtocolDocumentTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let isWriting = ProcessInfo.processInfo.environment["HUB_WRITE_DOCUMENTS"] == "1"

    @Test("The tables of the protocol document are those of the code")
    func tablesAgree() throws {
        let path = "docs/reference/protocol.md"
        let document = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
        let codes = "### Close codes\n\n\(EndReason.markdownTable)\n### Error codes\n\n\(ErrorCode.markdownTable)"
        let expected = try Self.replacing(
            "commands", in: try Self.replacing("codes", in: document, by: codes), by: ClientCommand.markdownTable)
        try Self.require(path, holds: expected, now: document)
    }

    @Test("The schema of commands is generated from the command files")
    func schemaAgrees() throws {
        let path = "docs/reference/schemas/client-command.json"
        let text = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
        try Self.require(path, holds: ClientCommand.schemaText, now: text)
    }

    @Test("The AsyncAPI description names every command")
    func descriptionAgrees() throws {
        let path = "docs/reference/asyncapi.yaml"
        let text = try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
        let begin = try #require(text.range(of: "    command:\n      summary: connect"))
        let end = try #require(text.range(of: "\n", range: begin.upperBound..<text.endIndex))
        let line = "    command:\n      summary: \(ClientCommand.names.joined(separator: ", "))\n"
        let expected = text[..<begin.lowerBound] + line + text[end.upperBound...]
        try Self.require(path, holds: String(expected), now: text)
    }

    @Test("A command's name is unique and fits into the parser's word")
    func names() {
        #expect(Set(ClientCommand.names).count == ClientCommand.names.count)
        #expect(ClientCommand.names.allSatisfy { (1...16).contains($0.utf8.count) })
    }

    @Test("The members of all commands fit into the parser's storage")
    func members() {
        #expect(CommandMember.allCases.count == CommandMembers.most)
        #expect(CommandMember.allCases.allSatisfy { $0.name.utf8.count <= 8 }, "the quick reader compares words of eight bytes")
    }

    @Test("Every command's summary is one sentence that fits into a table")
    func summaries() {
        for type in ClientCommand.types {
            #expect(type.summary.hasSuffix(".") && type.summary.count > 10 && !type.summary.contains("|"), "\(type.name)")
        }
    }

    private static func replacing(_ part: String, in document: String, by text: String) throws -> String {
        let begin = try #require(document.range(of: "<!-- \(part):begin -->\n"))
        let end = try #require(document.range(of: "<!-- \(part):end -->", range: begin.upperBound..<document.endIndex))
        return document[..<begin.upperBound] + text + document[end.lowerBound...]
    }

    private static func require(_ path: String, holds expected: String, now text: String) throws {
        guard isWriting else {
            #expect(text == expected, "\(path) is not what the code makes; run `make documents`")
            return
        }
        if text != expected { try expected.write(to: root.appending(path: path), atomically: true, encoding: .utf8) }
    }

    @Test("The codes that the hub never sends are documented as reserved")
    func reservedCodes() throws {
        let ending = try Self.lines(of: ["Sources/Sessions", "Sources/Transports"]).filter {
            !Self.isRowOfATable($0) && !$0.contains("code:") && !$0.contains("refuse(")
        }
        for reason in EndReason.allCases {
            #expect(ending.contains { Self.names($0, "\(reason)") } == !reason.isReserved, "\(reason)")
        }
        let refusing = try Self.lines(of: ["Sources/Sessions", "Sources/Messaging"]).filter {
            !Self.isRowOfATable($0) && !$0.contains("end(")
        }
        for code in ErrorCode.allCases {
            #expect(refusing.contains { Self.names($0, "\(code)") } == !code.isReserved, "\(code)")
        }
    }

    /// A line of a switch over all codes, which names a code without using it.
    private static func isRowOfATable(_ line: Substring) -> Bool {
        let text = line.drop { $0 == " " }
        return text.hasPrefix("case .") || text.hasPrefix(".")
    }

    private static func names(_ line: Substring, _ name: String) -> Bool {
        line.split { !$0.isLetter && $0 != "." }.contains { $0.hasSuffix("." + name) }
    }

    private static func lines(of folders: [String]) throws -> [Substring] {
        try folders.flatMap { folder -> [Substring] in
            let files = FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil)
            let sources = (files?.compactMap { $0 as? URL } ?? []).filter {
                $0.pathExtension == "swift" && !["ErrorCode.swift", "EndReason.swift", "CloseCodes.swift"].contains($0.lastPathComponent)
            }
            return try sources.flatMap { try String(contentsOf: $0, encoding: .utf8).split(separator: "\n") }
        }
    }
}
