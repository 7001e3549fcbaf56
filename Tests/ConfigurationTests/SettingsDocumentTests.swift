import HangGuard
import TestKit
import Testing

@testable import Configuration

@Suite("docs/reference/operations.md", .guarded)
struct SettingsDocumentTests {
    @Test("The table of settings is up to date; `make documents` writes it")
    func table() throws {
        #expect(try GeneratedDocument.holds(Setting.markdownTable, part: "settings", of: "docs/reference/operations.md"))
    }
}
