import Linux
import Messaging
import Pacing
import Postgres

/// The settings of each connection before it is used, and the check that the tables are those of this program.
struct SessionSettings {
    private let timeoutMilliseconds: Int64
    private let lockMilliseconds: Int64
    private let isShared: Bool

    /// - Parameter reads: the connection only reads.
    init(_ configuration: StoreConfiguration, reads: Bool = false) {
        let longest = configuration.statementTimeout
        timeoutMilliseconds = max(1, (reads ? min(longest, configuration.readTimeout) : longest).wholeMilliseconds)
        isShared = configuration.isShared
        lockMilliseconds = max(1, min(longest, configuration.lockTimeout).wholeMilliseconds)
    }

    /// Whether the answers to `statements` say that this program works on the tables.
    static func areSatisfied(by rows: [Rows]) -> Bool { rows.count > 2 && rows[2].bool(0, 0) == true }

    /// The history that the answer to the last of `statements` tells; nil when the database is behind, and no connection has begun a new
    /// one yet.
    static func epoch(in judged: Rows) -> Epoch? {
        judged.bool(0, 1) == false ? judged.text(0, 0).flatMap { Epoch($0) } : nil
    }

    /// - Parameters:
    ///   - beginning: an epoch to begin if the database is behind what this process has seen; nil on a connection that only reads.
    func statements(_ history: History, beginning new: Epoch?) -> [(sql: String, parameters: Parameters)] {
        settings(node: isShared ? history.witness : "") + Self.questions(history, beginning: new)
    }

    private static func questions(_ history: History, beginning new: Epoch?) -> [(sql: String, parameters: Parameters)] {
        var seen = Parameters()
        seen.append(history.seen)
        var questions: [(sql: String, parameters: Parameters)] = []
        if let new {
            var begin = seen
            begin.append(new.text)
            var witness = Parameters()
            witness.append(history.witness)
            questions += [(HistoryQueries.beginWhenBehind, begin), (HistoryQueries.writeWitness, witness)]
        }
        return questions + [(HistoryQueries.judge, seen)]
    }

    /// - Parameter node: the name under which this hub writes to the journal; empty: it writes nothing.
    func settings(node: String) -> [(sql: String, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(String(timeoutMilliseconds))
        parameters.append(String(lockMilliseconds))
        parameters.append(node)
        return [
            (
                """
                select set_config(name, value, false) from (values
                    ('statement_timeout', $1), ('lock_timeout', $2), ('hub.node', $3),
                    -- The statements after a lock must see what its last holder did.
                    ('default_transaction_isolation', 'read committed'),
                    -- Nothing but what is named in full.
                    ('search_path', 'pg_catalog'),
                    -- Every statement is a lookup by index for each element of its arrays. A plan made while a table was
                    -- still small must not stay a sequential scan, and compiling a plan would cost more than running it.
                    ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),
                    ('jit', 'off'),
                    -- A hub that has vanished must not keep its locks.
                    ('tcp_keepalives_idle', '15'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')
                ) settings (name, value)
                """, parameters
            ),
            // A crash must not lose a commit, because replies are sent after it. Stricter settings stay.
            (
                "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'", Parameters()
            ),
            (Migrator.fits(known: Migration.all.count), Parameters()),
        ]
    }
}
