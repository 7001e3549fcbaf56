import CPostgres

/// A connection that waits for each answer: for migrations and tools, never on an event loop's thread.
@safe public final class BlockingConnection {
    private let handle: OpaquePointer

    /// Connects; gives up after 10 s per host unless the address sets `connect_timeout`.
    public init(_ address: String, applicationName: String) throws(PostgresError) {
        let connected = unsafe ConnectionSettings(address, applicationName: applicationName).withPointers {
            unsafe PQconnectdbParams($0, $1, 1)
        }
        guard let handle = unsafe connected else { throw PostgresError(message: "libpq: out of memory", lost: true) }
        unsafe self.handle = handle
        unsafe hub_pq_silence_notices(handle)
        if unsafe PQstatus(handle) != CONNECTION_OK {
            var error = lost()
            error.sqlState = Connection.refusal(address, applicationName: applicationName, within: .seconds(2))
            throw error
        }
    }

    deinit { unsafe PQfinish(handle) }

    /// Runs any number of statements, one behind the other and, unless they say `begin`, in one transaction.
    /// - Returns: the last one's rows, every value as text.
    @discardableResult
    public func execute(_ script: String) throws(PostgresError) -> [[String?]] {
        try unsafe rows(PQexec(handle, script))
    }

    /// Runs one statement with `$1, $2, …` given as text.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [String]) throws(PostgresError) -> [[String?]] {
        var encoded = Parameters()
        for parameter in parameters {
            encoded.append(parameter)
        }
        // Text's binary form is the text itself; other types come by a cast in the statement.
        let types = [UInt32](repeating: ElementType.text.rawValue, count: parameters.count)
        var answer: OpaquePointer?
        _ = unsafe encoded.withPointers { count, values, lengths, formats in
            unsafe answer = PQexecParams(handle, sql, count, types, values, lengths, formats, 0)
            return 1
        }
        return try unsafe rows(answer)
    }

    private func rows(_ result: OpaquePointer?) throws(PostgresError) -> [[String?]] {
        guard let result = unsafe result else { throw lost() }
        let rows = unsafe Rows(adopting: result)
        switch unsafe PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            return (0..<rows.count).map { row in (0..<rows.columns).map { rows.text(row, $0) } }
        default:
            var error = rows.error
            error.lost = unsafe PQstatus(handle) != CONNECTION_OK
            throw error
        }
    }

    private func lost() -> PostgresError {
        PostgresError(message: unsafe String(libpq: PQerrorMessage(handle)), lost: true)
    }
}
