import Foundation
import Testing

@testable import Configuration

@Suite("docs/reference/operations.md")
struct SettingsDocumentTests {
    @Test("Its table of settings is the program's own: `hub check --markdown`")
    func table() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let document = try String(contentsOf: root.appending(path: "docs/reference/operations.md"), encoding: .utf8)
        let begin = try #require(document.range(of: "<!-- settings:begin -->\n"))
        let end = try #require(document.range(of: "<!-- settings:end -->"))
        #expect(document[begin.upperBound..<end.lowerBound] == Setting.markdownTable)
    }
}
