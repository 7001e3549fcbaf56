import ChangeCapture
import Foundation
import HangGuard
import Testing

@Suite("docs/reference/change-events.md", .guarded)
struct ChangeDocumentTests {
    private func document(besides file: String = #filePath) throws -> String {
        let root = URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "docs/reference/change-events.md"), encoding: .utf8)
    }

    @Test("Each example has the kind that it is shown for")
    func examples() throws {
        let examples = try document().split(separator: "```json ").dropFirst().compactMap { $0.split(separator: "```").first }
        #expect(examples.count == 10)
        for example in examples {
            let kind = String(example.prefix { $0 != "\n" })
            let value = String(example.dropFirst(kind.count))
            var record = Records.record("portal.public.note", #"{"id":1}"#, value)
            if kind == "outbox" { record = Records.record("outbox.event.portfolio", #""7""#, value, [("id", "1")]) }
            if kind == "heartbeat" { record.topic = "__debezium-heartbeat.portal" }
            #expect(ChangeDecoder().decoded(record).kind == kind)
        }
    }

    @Test("It has the code's reasons, each with its own meaning")
    func reasons() throws {
        let document = try document()
        let begin = try #require(document.range(of: "<!-- reasons:begin -->\n"))
        let end = try #require(document.range(of: "<!-- reasons:end -->"))
        #expect(document[begin.upperBound..<end.lowerBound] == ChangeRejection.Reason.markdownTable)
        #expect(Set(ChangeRejection.Reason.allCases.map(\.meaning)).count == ChangeRejection.Reason.allCases.count)
    }
}
