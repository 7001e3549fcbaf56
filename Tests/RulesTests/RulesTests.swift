import ChangeCapture
import HangGuard
import JSON
import Testing

@testable import Rules

/// The rules of the tests: a review concerns its reviewer while it is open.
let reviewRules = """
    version: 1
    tables:
      app.review: { identity: full, columns: { due: timestamptz } }
    rules:
      - name: review-open
        table: app.review
        when: became(after.status, "open")
        to: "user:{reviewer}"
        type: review.requested
        title: { fr: "Relecture de {title}", en: "Review of {title}" }
        link: /reviews/{id}
        data: [id, due]
        priority: high
        group: activity:{activity}
        expires: 7d
      - name: review-late
        table: app.review
        operations: [update]
        when: after.status == "late" && after.activity in [1, 2]
        to: ["user:{reviewer}", "broadcast:activity:{activity}"]
        type: review.late
        title: Late
        form: full
    """

/// Records of Debezium without schemas, for one table.
struct Reviews {
    var decoder: ChangeDecoder
    var lsn = 100

    init(_ rules: RuleSet) { decoder = ChangeDecoder(rules.changes) }

    static func row(_ status: String, id: Int = 7, reviewer: String? = "\"alice\"", activity: Int = 1) -> String {
        """
        {"id":\(id),"status":"\(status)","reviewer":\(reviewer ?? "null"),"title":"Essai","activity":\(activity),\
        "due":"2026-12-01T10:00:00.000000Z","secret":"hidden"}
        """
    }

    mutating func change(_ operation: String, before: String?, after: String?, id: Int = 7) throws -> RowChange {
        lsn += 8
        let value = """
            {"before":\(before ?? "null"),"after":\(after ?? "null"),"source":{"version":"3.6.3","connector":"postgresql","name":"app","ts_ms":1764500000000,\
            "snapshot":"false","db":"platform","sequence":"[\\"90\\",\\"\(lsn)\\"]","schema":"app","table":"review","txId":55,"lsn":\(lsn)},\
            "op":"\(operation)","ts_ms":1764500000100}
            """
        let record = ChangeRecord(
            topic: "app.app.review", key: Array("{\"id\":\(id)}".utf8), value: Array(value.utf8))
        guard case .row(let change) = decoder.decode(record) else { throw NotAChange(value: value) }
        return change
    }

    struct NotAChange: Error { let value: String }
}

@Suite("Rules over changes of rows", .guarded)
struct RulesTests {
    let rules: RuleSet
    var reviews: Reviews

    init() throws {
        rules = try RuleSet(parsing: reviewRules)
        reviews = Reviews(rules)
    }

    @Test("An inserted row that meets the condition makes an event for the person it names")
    mutating func insertMakesAnEvent() throws {
        let outcome = rules.outcome(of: try reviews.change("c", before: nil, after: Reviews.row("open")))
        #expect(outcome.retractions.isEmpty && outcome.failures.isEmpty && outcome.undecided.isEmpty)
        let event = try #require(outcome.events.first)
        #expect(outcome.events.count == 1 && event.rule == "review-open" && event.row == #"platform/app.review/{"id":7}"#)
        let json = try JSONValue.parse(event.json)
        #expect(json["to"] == ["user:alice"] && json["type"] == "review.requested")
        #expect(json["title"] == ["fr": "Relecture de Essai", "en": "Review of Essai"])
        #expect(json["data"] == ["id": 7, "due": "2026-12-01T10:00:00.000Z"])
        #expect(json["link"] == "/reviews/7" && json["group"] == "activity:1" && json["priority"] == "high" && json["form"] == "hint")
        #expect(json["expiresAt"] == .number(JSONNumber(Int64(1_764_500_000_000 + 7 * 86_400_000))))
    }

    @Test("Columns that the rule does not name stay in the hub")
    mutating func otherColumnsStay() throws {
        let outcome = rules.outcome(of: try reviews.change("c", before: nil, after: Reviews.row("open")))
        #expect(!String(decoding: try #require(outcome.events.first).json, as: UTF8.self).contains("hidden"))
        #expect(rules.rules[0].leavingColumns == ["activity", "due", "id", "reviewer", "title"])
    }

    @Test("A row that does not meet the condition makes nothing")
    mutating func otherStatus() throws {
        #expect(rules.outcome(of: try reviews.change("c", before: nil, after: Reviews.row("draft"))).isEmpty)
    }

    @Test("An update into the state replaces the row's earlier entry of the rule")
    mutating func updateReplaces() throws {
        let outcome = rules.outcome(of: try reviews.change("u", before: Reviews.row("draft"), after: Reviews.row("open")))
        #expect(outcome.events.map(\.rule) == ["review-open"])
        #expect(outcome.retractions == [RuleRetraction(row: #"platform/app.review/{"id":7}"#, rule: "review-open")])
    }

    @Test("An update that leaves the state as it was neither notifies nor retracts")
    mutating func unchangedState() throws {
        #expect(rules.outcome(of: try reviews.change("u", before: Reviews.row("open"), after: Reviews.row("open"))).isEmpty)
        #expect(rules.outcome(of: try reviews.change("u", before: Reviews.row("done"), after: Reviews.row("draft"))).isEmpty)
    }

    @Test("An update out of the state retracts what the rule has made")
    mutating func updateOutRetracts() throws {
        let outcome = rules.outcome(of: try reviews.change("u", before: Reviews.row("open"), after: Reviews.row("done")))
        #expect(outcome.events.isEmpty)
        #expect(outcome.retractions.map(\.rule) == ["review-open"])
    }

    @Test("Without the old row, any update outside of the state retracts")
    mutating func updateWithoutOldRow() throws {
        let outcome = rules.outcome(of: try reviews.change("u", before: nil, after: Reviews.row("done")))
        #expect(outcome.retractions.map(\.rule) == ["review-open", "review-late"])
    }

    @Test("A deleted row retracts the entries of all rules")
    mutating func deleteRetracts() throws {
        let outcome = rules.outcome(of: try reviews.change("d", before: Reviews.row("open"), after: nil))
        #expect(outcome.retractions == [RuleRetraction(row: #"platform/app.review/{"id":7}"#, rule: nil)] && outcome.events.isEmpty)
    }

    @Test("Rows of a snapshot notify nobody")
    mutating func snapshotIsSilent() throws {
        #expect(rules.outcome(of: try reviews.change("r", before: nil, after: Reviews.row("open"))).isEmpty)
    }

    @Test("A row that names nobody makes no event, and that is no failure")
    mutating func nobody() throws {
        let outcome = rules.outcome(of: try reviews.change("c", before: nil, after: Reviews.row("open", reviewer: nil)))
        #expect(outcome.isEmpty)
    }

    @Test("A column with a list names several people")
    mutating func severalPeople() throws {
        let outcome = rules.outcome(of: try reviews.change("c", before: nil, after: Reviews.row("open", reviewer: #"["alice","bob"]"#)))
        #expect(try JSONValue.parse(try #require(outcome.events.first).json)["to"] == ["user:alice", "user:bob"])
    }

    @Test("A rule that fails says so, and the other rules go on")
    mutating func failureIsAlone() throws {
        let late = try reviews.change("u", before: Reviews.row("open"), after: #"{"id":7,"status":"late","reviewer":"alice","activity":2}"#)
        let broken = try RuleSet(
            parsing: reviewRules + """

                  - { name: broken, table: app.review, when: after.missing == 1, to: "user:{reviewer}", type: t }
                """)
        let outcome = broken.outcome(of: late)
        #expect(outcome.events.map(\.rule) == ["review-late"])
        #expect(outcome.failures.map(\.rule) == ["broken"])
        #expect(outcome.failures[0].detail.contains("missing"))
    }

    @Test("Under REPLICA IDENTITY DEFAULT a comparison with the old row is undecided")
    mutating func undecided() throws {
        let outcome = rules.outcome(of: try reviews.change("u", before: nil, after: Reviews.row("open")))
        #expect(outcome.undecided == ["review-open"] && outcome.events.isEmpty)
    }

    @Test("The same change sent again has the same identity, another change another")
    mutating func identity() throws {
        var again = reviews
        let first = rules.outcome(of: try reviews.change("c", before: nil, after: Reviews.row("open"))).events
        let second = rules.outcome(of: try again.change("c", before: nil, after: Reviews.row("open"))).events
        let other = rules.outcome(of: try reviews.change("c", before: nil, after: Reviews.row("open"))).events
        #expect(first == second && first != other)
    }

    @Test("Rules are found by a constant of their condition, and the result is that of trying all", arguments: 0..<40)
    mutating func indexAgreesWithAll(seed: Int) throws {
        let statuses = ["open", "draft", "done", "late"]
        let text =
            "version: 1\nrules:\n"
            + (0..<30).map { index in
                let condition = index % 3 == 0 ? "after.activity == \(index % 4)" : "after.status == \"\(statuses[index % 4])\""
                return "  - { name: r\(index), table: app.review, when: '\(condition)', to: 'user:{reviewer}', type: t }\n"
            }.joined()
        let many = try RuleSet(parsing: text)
        let status = statuses[seed % 4]
        let activity = seed / 4 % 5
        let change = try reviews.change("c", before: nil, after: Reviews.row(status, activity: activity))
        let expected = (0..<30).filter { $0 % 3 == 0 ? activity == $0 % 4 : status == statuses[$0 % 4] }.map { "r\($0)" }
        #expect(many.outcome(of: change).events.map(\.rule) == expected)
        // An update out of this row retracts what the rules made of it, and those of the new row make theirs.
        let next = statuses[(seed + 1) % 4]
        let update = try reviews.change("u", before: Reviews.row(status, activity: activity), after: Reviews.row(next, activity: 9))
        let ended = many.outcome(of: update)
        let made = (0..<30).filter { $0 % 3 != 0 && next == statuses[$0 % 4] }.map { "r\($0)" }
        #expect(ended.events.map(\.rule) == made)
        #expect(Set(ended.retractions.compactMap(\.rule)) == Set(expected + made))
    }

    @Test("An update between two values of one rule is one event, not two")
    mutating func twoValuesOfOneRule() throws {
        let rules = try RuleSet(
            parsing:
                "version: 1\nrules: [{ name: r, table: app.review, when: 'after.status in [\"open\", \"late\"]', to: 'user:{reviewer}', type: t }]"
        )
        let outcome = rules.outcome(of: try reviews.change("u", before: Reviews.row("open"), after: Reviews.row("late")))
        #expect(outcome.events.count == 1 && outcome.retractions.count == 1)
    }
}
