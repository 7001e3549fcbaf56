import HangGuard
import JSON
import Rules
import Testing

@testable import HubClient
@testable import Store

@Suite("hub why", .guarded)
struct WhyReportTests {
    private func entry(_ adjust: (inout [String?]) -> Void = { _ in }) throws -> FoundEntry {
        var row: [String?] = [
            "1", "inbox:ann", "42", "notification", "review.requested", "normal", "hint", "rule:review-open", "5f0c", nil, "review-open",
            "platform/app.review/{\"id\":7}", "platform.app.review/0/17", "2026-11-30T10:00:00.000Z", nil, nil, "f", nil, nil, nil, "1",
        ]
        adjust(&row)
        return try #require(FoundEntry(row))
    }

    private func report(_ entry: FoundEntry, rules: RuleSet? = nil, _ language: RuleLanguage = .english) -> WhyReport {
        WhyReport(EntryInquiry.Answer(entries: [entry], total: 1), rules: rules, language: language)
    }

    private func person(_ delivered: Bool = true, moved: String? = "2026-11-30T10:01:00.000Z", at: String? = nil) -> FoundEntry.Person {
        FoundEntry.Person(
            user: "ann", isDelivered: delivered, isSeen: false, isRead: false, movedAt: moved, deliveredAt: at, readAt: nil, isHidden: false
        )
    }

    private let rules = """
        version: 1
        rules:
          - { name: review-open, table: app.review, operations: insert, to: "user:{reviewer}", type: review.requested, title: "{title}" }
        """

    @Test("all that is known of a rule's entry")
    func whole() throws {
        var entry = try entry()
        entry.people = [person()]
        entry.peopleInAll = 1
        #expect(
            report(entry, rules: try RuleSet(parsing: rules)).lines == [
                "5f0c is entry 42 of inbox:ann", "  event: review.requested (notification, normal, hint)",
                "  why: rule review-open: insert of a row of app.review: review.requested to user:{reviewer}",
                #"  row: database platform, table app.review, key {"id":7}"#,
                "  record: topic platform.app.review, partition 0, offset 17", "  stored: 2026-11-30T10:00:00.000Z",
                "  ann: delivered, not seen, not read (position last moved 2026-11-30T10:01:00.000Z; no time of its own is kept)",
            ])
        let french = report(entry, rules: try RuleSet(parsing: rules), .french).lines
        #expect(french[0] == "5f0c est l’entrée 42 de inbox:ann")
        #expect(french.contains("  pourquoi: règle review-open : ajout d’une ligne de app.review : review.requested à user:{reviewer}"))
    }

    @Test("what is not known is said")
    func unknown() throws {
        let lines = report(
            try entry {
                ($0[10], $0[11], $0[12]) = (nil, nil, nil)
            }
        ).lines
        #expect(lines.contains("  why: rule review-open (the rules file is not known, so the rule cannot be told)"))
        #expect(lines.contains("  row: not known: the table has no key"))
        #expect(lines.contains("  record: not known: it was stored before schema 15"))
        let other = try RuleSet(parsing: rules.replacing("name: review-open", with: "name: other"))
        #expect(report(try entry(), rules: other).lines[2].contains("the rules file has no such rule any more"))
        var silent = try entry()
        silent.people = [person(false, moved: nil)]
        #expect(
            report(silent).lines.last == "  ann: not delivered, not seen, not read (no client of the user has acknowledged anything here)")
    }

    @Test(
        "who made an entry without a rule",
        arguments: [
            ("hub", nil, "a service published the event; no rule made it"),
            ("/reviews", nil, "/reviews published the event; no rule made it"),
            ("outbox:review", nil, "a service wrote the event to its outbox review"),
            ("message:platform", nil, "a service emitted the event in a transaction of database platform"),
            ("kafka:hub.events", nil, "a service wrote the event, without an id, to topic hub.events"), ("user:bob", "bob", "bob wrote it"),
        ] as [(String, String?, String)])
    func sources(_ source: String, _ sender: String?, _ expected: String) throws {
        let entry = try entry { ($0[7], $0[9], $0[10], $0[11], $0[12]) = (source, sender, nil, nil, nil) }
        #expect(report(entry).lines.contains("  why: \(expected)"))
    }

    @Test("an event without an id has its record in its identity")
    func derived() throws {
        let entry = try entry { ($0[7], $0[8], $0[10], $0[11], $0[12]) = ("kafka:hub.events", "2:99:0:ab", nil, nil, nil) }
        #expect(report(entry).lines.contains("  record: topic hub.events, partition 2, offset 99"))
    }

    @Test("why it was taken back")
    func retractions() throws {
        func line(_ by: String?, _ author: String? = nil, _ next: String? = nil) throws -> String? {
            report(try entry { ($0[15], $0[17], $0[18], $0[19]) = ("T", by, author, next) }).lines.first { $0.contains("taken back") }
        }
        #expect(try line("platform/app.review/{\"id\":7}") == "  taken back: T, because the row changed or was deleted")
        #expect(try line("event/hub/x") == "  taken back: T, by the event hub/x")
        #expect(try line(nil, "bob") == "  taken back: T, by its author")
        #expect(try line(nil, nil, "43") == "  taken back: T, entry 43 with the same collapse key replaced it")
        #expect(try line(nil) == "  taken back: T, it is not known by what")
    }

    @Test("the same as JSON")
    func json() throws {
        var entry = try entry()
        entry.people = [person(at: "2026-11-30T10:00:30.000Z")]
        let object = try #require(try JSONValue.parse(report(entry).json).object)
        let first = try #require(object["entries"]?.array?.first?.object)
        #expect(first["record"]?.object?["offset"]?.int64 == 17 && first["row"]?.object?["key"]?.string == #"{"id":7}"#)
        #expect(first["people"]?.array?.first?.object?["delivered_at"]?.string == "2026-11-30T10:00:30.000Z")
        #expect(object["total"]?.int64 == 1)
    }

    @Test("each failure has its line and exit code")
    func failures() {
        var question = EntryInquiry.Question()
        (question.id, question.channel, question.seq) = ("x", "inbox:ann", 3)
        func failure(_ failure: EntryInquiry.Failure) -> CommandFailure { WhyReport.failure(failure, question, .seconds(30)) }
        #expect(
            failure(.unknown) == CommandFailure(.failed, "no entry has the id x in inbox:ann; entries beyond the retention are removed"))
        #expect(failure(.noSuchChannel) == CommandFailure(.failed, "there is no channel inbox:ann"))
        #expect(
            failure(.noSuchEntry(first: 5, last: 9))
                == CommandFailure(.failed, "inbox:ann: entry 3 was removed because of its age; the oldest one that is kept is 5"))
        #expect(failure(.tooSlow).lines[0].contains("within 30s"))
    }
}
