import CPostgres
import Glibc

/// One connection to a PostgreSQL server that never blocks: libpq in pipeline mode, watched by the caller's event loop.
///
/// Owns the `PGconn`. What is queued between two `commit()`s is one transaction: it is committed by the second, or not
/// at all when one of its statements fails (the rest of it is then `.skipped`). Every statement queued is answered by
/// exactly one `Answer`, in order, and every `commit()` by `.committed`, until the connection is lost.
///
/// Used by one thread at a time.
@safe public final class Connection {
    public enum Progress: Equatable, Sendable { case reading, writing, ready }

    public enum Answer {
        case rows(Rows)
        /// The statement failed; its transaction will not be committed.
        case failed(PostgresError)
        /// Not run, because a statement before it in the same transaction failed.
        case skipped
        /// The end of a transaction: durable if none of its statements failed.
        case committed
    }

    private let handle: OpaquePointer
    /// Statements and commits queued and not yet answered.
    public private(set) var outstanding = 0

    /// Starts connecting; go on with `proceed()`. Host names are resolved here, by the system's resolver: give
    /// addresses or sockets where that may take long.
    /// - Parameter address: a `postgresql://` URI or a `key=value` string. What it sets wins over this program's
    ///   defaults (keep-alives; of several hosts the first writable one).
    public init(_ address: String, applicationName: String) throws(PostgresError) {
        let started = unsafe ConnectionSettings(address, applicationName: applicationName).withPointers {
            unsafe PQconnectStartParams($0, $1, 1)
        }
        guard let handle = unsafe started else { throw PostgresError(message: "libpq: out of memory", lost: true) }
        unsafe self.handle = handle
        unsafe hub_pq_silence_notices(handle)
        // Only then does libpq keep the state of an error that ends the attempt.
        _ = unsafe PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        if unsafe PQstatus(handle) == CONNECTION_BAD { throw refused() }
    }

    deinit { unsafe PQfinish(handle) }

    /// The descriptor to watch. It may change with each `proceed()` while connecting; negative when there is none.
    public var descriptor: Int32 { unsafe PQsocket(handle) }

    /// Takes the next step of connecting and returns what to wait for. At first wait until the descriptor is writable.
    public func proceed() throws(PostgresError) -> Progress {
        switch unsafe PQconnectPoll(handle) {
        case PGRES_POLLING_READING: return .reading
        case PGRES_POLLING_WRITING: return .writing
        case PGRES_POLLING_OK:
            _ = unsafe PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
            guard unsafe PQsetnonblocking(handle, 1) == 0, unsafe PQenterPipelineMode(handle) == 1 else { throw lost() }
            return .ready
        default: throw refused()
        }
    }

    private func refused() -> PostgresError {
        let (sqlState, message) = RefusalText.parse(unsafe String(libpq: PQerrorMessage(handle)))
        return PostgresError(sqlState: sqlState, message: message, lost: true)
    }

    /// Why the server refuses a connection, by a new attempt that takes at most about `limit`; nil when no server says so.
    static func refusal(_ address: String, applicationName: String, within limit: Duration) -> String? {
        do throws(PostgresError) {
            let connection = try Connection(address, applicationName: applicationName)
            var progress = Progress.writing
            while progress != .ready {
                var descriptor = pollfd(
                    fd: connection.descriptor, events: Int16(progress == .reading ? POLLIN : POLLOUT), revents: 0)
                guard unsafe poll(&descriptor, 1, Int32(limit.components.seconds) * 1_000) > 0 else { return nil }
                progress = try connection.proceed()
            }
            return nil
        } catch {
            return error.sqlState
        }
    }

    // MARK: Queueing

    /// Names a statement; its parameters' types are those of the casts in it.
    public func prepare(_ name: String, _ sql: String) throws(PostgresError) {
        try queued(unsafe PQsendPrepare(handle, name, sql, 0, nil))
    }

    /// Runs a prepared statement.
    public func execute(_ name: String, _ parameters: Parameters) throws(PostgresError) {
        try queued(
            unsafe parameters.withPointers { count, values, lengths, formats in
                unsafe PQsendQueryPrepared(handle, name, count, values, lengths, formats, 1)
            })
    }

    /// Runs one statement that is not worth preparing.
    public func run(_ sql: String, _ parameters: Parameters = Parameters()) throws(PostgresError) {
        try queued(
            unsafe parameters.withPointers { count, values, lengths, formats in
                unsafe PQsendQueryParams(handle, sql, count, nil, values, lengths, formats, 1)
            })
    }

    /// Ends the transaction made of what was queued since the last one.
    public func commit() throws(PostgresError) {
        try queued(unsafe PQpipelineSync(handle))
    }

    private func queued(_ done: Int32) throws(PostgresError) {
        guard done == 1 else { throw lost() }
        outstanding += 1
    }

    // MARK: Moving bytes

    /// Sends what it can. True when there is more: call again when the descriptor is writable (or readable: `receive` first).
    public func flush() throws(PostgresError) -> Bool {
        switch unsafe PQflush(handle) {
        case 0: return false
        case 1: return true
        default: throw lost()
        }
    }

    /// Takes what has arrived. Call when the descriptor is readable.
    public func receive(_ body: (Answer) -> Void) throws(PostgresError) {
        guard unsafe PQconsumeInput(handle) == 1 else { throw lost() }
        // A statement's results end with a null; so does an idle pipeline. Two nulls running mean nothing is there.
        var ended = false
        while outstanding > 0, unsafe PQisBusy(handle) == 0 {
            guard let result = unsafe PQgetResult(handle) else {
                if ended { return }
                ended = true
                continue
            }
            ended = false
            let rows = unsafe Rows(adopting: result)
            let answer: Answer
            switch unsafe PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC: answer = .committed
            case PGRES_PIPELINE_ABORTED: answer = .skipped
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: answer = .rows(rows)
            default:
                let error = rows.error
                // The last answer is that of the commit. When the commit itself fails (a deferred trigger, a full disk), libpq 15 gives its
                // error in that place, and never an end of the transaction.
                if unsafe PQstatus(handle) == CONNECTION_BAD || outstanding == 1 {
                    throw PostgresError(sqlState: error.sqlState, message: error.message, lost: true)
                }
                answer = .failed(error)
            }
            outstanding -= 1
            body(answer)
        }
    }

    /// The payloads of the notifications (LISTEN) of other connections that have arrived. Call after `receive`.
    public func takeNotifications() -> [String] {
        var payloads: [String] = []
        while let notification = unsafe PQnotifies(handle) {
            if unsafe notification.pointee.be_pid != PQbackendPID(handle) {
                payloads.append(unsafe String(libpq: notification.pointee.extra))
            }
            unsafe PQfreemem(notification)
        }
        return payloads
    }

    private func lost() -> PostgresError {
        PostgresError(message: unsafe String(libpq: PQerrorMessage(handle)), lost: true)
    }
}
