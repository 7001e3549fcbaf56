/// The store's SQL as one text, so that a benchmark beside the hub executes what the hub executes.
package enum StatementListing {
    /// `-- name: NAME` precedes each statement. A new connection runs those named `session` and prepares the others under their names.
    package static var text: String {
        let settings = SessionSettings(StoreConfiguration(address: "")).settings(node: "").dropLast().map { session in
            section("session", session.sql.replacing("$1", with: "'10000'").replacing("$2", with: "'1500'").replacing("$3", with: "''"))
        }
        return (settings + Statement.all.map { section($0.name, $0.sql) }).joined()
    }

    private static func section(_ name: String, _ sql: String) -> String { "-- name: \(name)\n\(sql)\n" }
}
