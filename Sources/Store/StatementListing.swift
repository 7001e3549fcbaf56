/// The store's SQL as one text, so that a benchmark beside the hub executes what the hub executes.
package enum StatementListing {
    /// `-- name: NAME` before each; those named `session` are run on a new connection, the others prepared under their name.
    package static var text: String {
        let settings = SessionSettings(StoreConfiguration(address: "")).statements.dropLast().map { session in
            section("session", session.sql.split(separator: "$1", omittingEmptySubsequences: false).joined(separator: "'10000'"))
        }
        return (settings + Statement.allCases.map { section($0.rawValue, $0.sql) }).joined()
    }

    private static func section(_ name: String, _ sql: String) -> String { "-- name: \(name)\n\(sql)\n" }
}
