import HangGuard
import TestKit
import Testing

@testable import Postgres

@Suite("A server that refuses a connection", .guarded)
struct RefusalTests {
    @Test("the server's code is taken out of libpq's verbose text, and its source location is dropped")
    func text() {
        let verbose = """
            connection to server at "127.0.0.1", port 5432 failed: FATAL:  28P01: password authentication failed for user "hub"
            LOCATION:  auth_failed, auth.c:330
            """
        let (state, message) = RefusalText.parse(verbose)
        #expect(state == "28P01")
        #expect(message == #"connection to server at "127.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "hub""#)
        let refused = "connection to server at \"db\" (10.0.0.1), port 5432 failed: Connection refused\n\tIs the server running?"
        #expect(RefusalText.parse(refused) == (nil, refused))
    }

    @Test("of several servers the one counts that may accept later")
    func several() {
        let line = { (state: String) in "connection to server at \"a\" failed: FATAL:  \(state): no" }
        #expect(RefusalText.parse([line("57P03"), line("28P01")].joined(separator: "\n")).sqlState == "57P03")
        #expect(RefusalText.parse([line("28P01"), line("57P03")].joined(separator: "\n")).sqlState == "57P03")
        #expect(RefusalText.parse([line("3D000"), line("28P01")].joined(separator: "\n")).sqlState == "28P01")
    }

    @Test("both kinds of connections tell the code of a database that does not exist")
    func missingDatabase() throws {
        let address = try PostgresCluster.shared.get().address("not_there")
        let refusal = #expect(throws: PostgresError.self) { try BlockingConnection(address, applicationName: "tests") }
        #expect(refusal?.sqlState == "3D000" && refusal?.isFinal == true)
        let second = #expect(throws: PostgresError.self) { try Connection.open(address) }
        #expect(second?.sqlState == "3D000" && second?.lost == true)
        #expect(second?.message.contains("LOCATION") == false)
    }

    @Test("a server that only reads is not connected to, as a standby is not")
    func readOnly() throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        let connection = try Connection.open(address)
        let setting = "'alter database %I set default_transaction_read_only = on'"
        try connection.run("do $$ begin execute format(\(setting), current_database()); end $$")
        try connection.commit()
        let answers = try connection.exchange()
        guard case .rows? = answers.first else {
            Issue.record("\(answers)")
            return
        }
        let refusal = #expect(throws: PostgresError.self) { try Connection.open(address) }
        #expect(refusal?.lost == true && refusal?.isFinal == false && refusal?.message.contains("read-only") == true)
        #expect(throws: PostgresError.self) { try BlockingConnection(address, applicationName: "tests") }
    }

    @Test("an error after connecting has no code in its text")
    func afterwards() throws {
        let connection = try Connection.open(PostgresCluster.shared.get().makeDatabase())
        try connection.run("select 1 / 0")
        try connection.commit()
        let answers = try connection.exchange()
        guard case .failed(let error)? = answers.first else {
            Issue.record("\(answers)")
            return
        }
        #expect(error.sqlState == "22012" && error.message == "division by zero" && !error.isFinal)
    }
}
