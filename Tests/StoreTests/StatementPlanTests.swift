import HangGuard
import Messaging
import Postgres
import TestKit
import Testing

@testable import Store

/// The rows that a statement reads must depend on its parameters and not on the size of the tables, also with a plan from empty tables.
@Suite(.timeLimit(.minutes(2)), .guarded) struct StatementPlanTests {
    private static let users = 4_000
    private static let broadcast = 9_000
    private static let asked = 10

    /// Filled so that reading any table as a whole, or a channel from its start, is far beyond `mostRows`.
    private static let fill = """
        insert into hub.channel (name, kind, last_seq) select 'inbox:u' || g, 'inbox', 3 from generate_series(1, \(users)) g;
        insert into hub.channel (name, kind, last_seq) values ('broadcast:all', 'broadcast', \(broadcast));
        insert into hub.entry (channel_id, seq, source, source_id, kind, event_type, priority, form, content, created_at, group_key, cause, rule)
        select c.id, s, 'kafka:x', s::text, 'notification', 't', 'normal', 'full', '{}', now(), 'g' || s,
            case when s = 2 then 'row' || c.id end, case when s = 2 then 'rule' end
        from hub.channel c cross join lateral generate_series(1, c.last_seq) s;
        insert into hub.row_change (origin, commit_lsn, lsn, changed_at) select 'row' || g, 1, 1, now() from generate_series(1, \(users)) g;
        insert into hub.cursor (user_id, channel_id) select substr(name, 7), id from hub.channel where kind = 'inbox' and id % 2 = 0;
        insert into hub.conversation (first, second) select 'a' || g, 'b' || g from generate_series(1, \(users)) g;
        insert into hub.channel (name, kind) select 'conversation:' || id, 'conversation' from hub.conversation;
        insert into hub.member (channel_id, user_id)
        select c.id, u.name from hub.conversation v join hub.channel c on c.name = 'conversation:' || v.id
        cross join lateral (values (v.first), (v.second)) u (name);
        insert into hub.block (user_id, blocked) select 'a' || g, 'x' || g from generate_series(1, \(users)) g
        union all select 'x' || g, 'b' || g from generate_series(1, \(users)) g;
        insert into hub.ingest_position (topic, partition, position, updated_at)
        select 't' || t, p, 1, now() from generate_series(1, 400) t cross join lateral generate_series(1, 400) p;
        insert into hub.intake_position (consumer_group, topic, partition, position, updated_at)
        select 'hub', topic, partition, 1, now() from hub.ingest_position where partition % 2 = 0;
        insert into hub.journal (transaction, node, kind, channels, lasts)
        select (g % 90 + 1)::text::xid8, 'other', 'entries', array[g], array[1] from generate_series(1, \(users)) g;
        insert into hub.node (id, name, version, started_at, seen_at) select g::text, 'n', '1', now(), now() from generate_series(1, 3) g;
        insert into hub.question (kind, subject, node, until)
        select 'sessions', 'u' || g, case when g % 2 = 0 then 'other' end, now() + interval '1 minute' from generate_series(1, 60) g;
        insert into hub.source (consumer_group, name, topic, partition, is_heartbeat, heard_at)
        select 'g' || g % 500, 's' || g, 't', 0, false, now() from generate_series(1, \(users)) g;
        insert into hub.switch (feature, scope, mode, set_by, why) select 'signals', 'user:u' || g, 'off', 'ann', 'test' from generate_series(1, 150) g;
        insert into hub.withdrawal (transaction, channel_id, user_id)
        select row_number() over () - 2 * \(users), m.channel_id, m.user_id from hub.member m;
        """

    private static let mostRows = asked * 20

    private static func array(_ element: (Int) -> String) -> String {
        "'{" + (1...asked).map { element($0 * 37) }.joined(separator: ",") + "}'"
    }

    /// A new statement needs a row in `arguments`.
    private struct NoArguments: Error {
        let statement: String
    }

    private static func events(_ channels: String) -> [String] {
        let (none, no) = (array { _ in "null" }, array { _ in "false" })
        return [
            none, channels, array { _ in "kafka:x" },
            array { "new\($0)" }, array { _ in "notification" },
            array { _ in "t" }, array { _ in "normal" }, array { _ in "full" }, none, array { _ in "\"\"" }, none, none, none, no, none,
            array { $0 % 2 == 0 ? "1" : "null" }, array { "t\($0)" }, array { "\($0)" }, array { "\($0)" }, none,
            array { _ in "hub" }, array { _ in "true" },
        ]
    }

    static func arguments(_ statement: Statement) throws -> [String] {
        let users = array { "u\($0)" }
        let inboxes = array { "inbox:u\($0)" }
        let channels = array { $0 % 2 == 0 ? "broadcast:all" : "inbox:u\($0)" }
        let (none, no) = (array { _ in "null" }, array { _ in "false" })
        let pairs = [array { "a\($0)" }, array { "b\($0)" }, array { _ in "\"\"" }]
        return switch statement.name {
        case "ensureChannels", "lockChannels": [inboxes]
        case "storeEntries": events(channels) + [array { "t/0/\($0)" }]
        case "lockRetractedChannels": [inboxes, array { "row\($0)" }, array { _ in "rule" }, array { _ in "20" }]
        case "retractEntries":
            events(channels) + [
                array { "row\($0)" }, array { _ in "rule" }, array { _ in "2" }, array { "\($0)" }, array { _ in "2026-11-30" },
                array { "\($0)" },
                array { "row\($0 + 1)" }, none, channels, array { _ in "kafka:x" }, array { _ in "1" }, array { _ in "g3" },
                array { "row\($0 + 1)" }, array { _ in "2" }, array { "\($0)" }, array { _ in "2026-11-30" }, no, array { _ in "20" },
                array { "\($0)" }, array { "t/0/\($0)" },
            ]
        case "storeMessages":
            [
                array { _ in "20" }, array { $0 % 2 == 0 ? "broadcast:all" : "inbox:u\($0)" }, array { _ in "user:x" },
                array { "new\($0)" }, array { _ in "message" }, array { _ in "t" }, array { _ in "normal" }, array { _ in "full" }, users,
                array { _ in "\"\"" }, none, none, none, no, none, array { $0 % 2 == 0 ? "1" : "null" },
            ]
        case "readPositions": [array { "t\($0)" }, array { "\($0)" }, array { _ in "hub" }]
        case "recallEntries": [channels, array { _ in "kafka:x" }, array { _ in "2" }]
        case "makeConversations": pairs + [array { _ in "100" }, array { _ in "100" }]
        case "makeConversationChannels", "makeMembers", "conversationStates": pairs
        case "changeEntry":
            [
                inboxes, users, array { _ in "change:x" }, array { "new\($0)" }, array { _ in "change" }, array { _ in "\"\"" },
                array { _ in "2" }, none,
            ]
        case "lockShared": [array { "a\($0)" }, array { "b\($0)" }]
        case "changeBlocks": [array { "a\($0)" }, array { "b\($0)" }, array { $0 % 2 == 0 ? "1000" : "null" }]
        case "readBlocks": [array { "a\($0)" }]
        case "removeMembers": [array { "a\($0)" }, inboxes]
        case "ackCursors": [users, inboxes, array { _ in "2" }]
        case "ensureCursors", "lockCursors": [users, inboxes]
        case "moveCursors":
            [users, inboxes, array { _ in "2" }, array { _ in "1" }, array { _ in "\"{}\"" }, array { _ in "\"{[1,2)}\"" }, users, users]
        case "states":
            [
                array { "\($0)" }, users, channels, array { _ in "true" },
                array { "\($0)" }, array { "a\($0)" }, array { _ in "256" },
                array { $0 % 2 == 0 ? "true" : "false" }, none,
            ]
        case "claim", "probe", "lockAccess": []
        // No row is of a transaction as new as the last reading.
        case "readJournal": ["'100:100:'", "'me'"]
        case "beat":
            [
                "'me'", "'n'", "'1'", "7", "'{}'", array { "\($0)" }, array { _ in "\"{}\"" }, "false",
            ]
        case "changeAccess":
            [
                array { "row\($0)" }, array { _ in "r" }, users, array { _ in "broadcast:all" }, none, none, array { "\($0)" },
                array { "\($0)" }, array { _ in "2026-11-30" },
            ]
        case "settleAccess": ["10"]
        case "keepTickets": [array { "new\($0)" }, array { _ in "x" }, array { _ in "30" }]
        case "takeTickets": [array { "t\($0)" }]
        case "putFences":
            [
                array { "new\($0)" }, users, array { "\($0)" }, array { _ in "revoked" }, array { _ in "2026-11-30" },
                array { _ in "2026-12-30" }, array { _ in "logout" },
            ]
        case "withdrawals", "fences": ["-\(asked)", "0", "-\(asked)"]
        case "lockSources": ["'g7'", array { "s\($0)" }]
        case "tellSources":
            [
                "'g7'", array { "s\($0)" }, array { "t\($0)" }, array { "\($0)" }, no, array { "s\($0 * 500 + 7)" }, array { "x\($0)" },
                "1000",
            ]
        case "switches": []
        case "kinds": [users, channels, array { _ in "0d3e2c1b-6a57-4b32-8f6d-2f1f0a9b8c7d" }]
        case "removeEntries": ["'{0}'", "'{2020-01-01}'", "'{null}'", "'{null}'"]
        case "pages": [array { _ in "broadcast:all" }, array { "\($0 * 10)" }, none, array { _ in "5" }]
        default: throw NoArguments(statement: statement.name)
        }
    }

    /// Rows that the plan's scans produced or threw away.
    private static func rowsRead(_ plan: [String]) -> Double {
        var read = 0.0
        var loops = 1.0
        for line in plan {
            func number(after mark: String) -> Double? {
                guard let range = line.ranges(of: mark).last else { return nil }
                return Double(line[range.upperBound...].prefix { $0.isNumber || $0 == "." })
            }
            loops = number(after: "loops=") ?? loops
            if line.contains("Removed by") { read += loops * (number(after: ": ") ?? 0) }
            if line.contains("Scan using"), let rows = number(after: "actual rows=") { read += loops * rows }
        }
        return read
    }

    @Test func rowsReadByAStatementDoNotGrowWithTheTables() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        _ = try Migrator.migrate(address)
        let connection = try BlockingConnection(address, applicationName: "tests")
        for line in StatementListing.text.split(separator: "-- name: ") where line.hasPrefix("session\n") {
            _ = try connection.execute(String(line.dropFirst("session\n".count)))
        }
        func run(_ statement: Statement) throws -> [String] {
            let arguments = try Self.arguments(statement)
            let call = "execute \(statement.name)" + (arguments.isEmpty ? "" : " (\(arguments.joined(separator: ", ")))")
            _ = try connection.execute("begin")
            defer { _ = try? connection.execute("rollback") }
            return try connection.execute("explain (analyze, timing off) \(call)").compactMap { $0[0] }
        }
        for statement in Statement.all {
            _ = try connection.execute("prepare \(statement.name) as \(statement.sql)")
            _ = try run(statement)
        }
        _ = try connection.execute("set search_path = pg_catalog; \(Self.fill)")
        for statement in Statement.all {
            let plan = try run(statement)
            // A step of removing looks at 200 channels, whatever it is asked for. Each retraction is by cause, by event and by group here.
            let exceptions = ["removeEntries": 600, "retractEntries": 2 * Self.mostRows, "beat": Beats.mostRemoved + 100]
            let most = exceptions[statement.name] ?? Self.mostRows
            #expect(Self.rowsRead(plan) <= Double(most), "\(statement.name):\n\(plan.joined(separator: "\n"))")
            #expect(!plan.contains { $0.contains("Seq Scan on") }, "\(statement.name):\n\(plan.joined(separator: "\n"))")
        }
    }

    @Test func rowsReadAreCounted() {
        let plan = [
            "Nested Loop  (cost=1 rows=5 width=4) (actual rows=50 loops=1)",
            "  ->  Index Scan using a on b  (cost=1 rows=7 width=4) (actual rows=3 loops=5)", "        Rows Removed by Filter: 4",
        ]
        #expect(Self.rowsRead(plan) == 35)
    }
}
