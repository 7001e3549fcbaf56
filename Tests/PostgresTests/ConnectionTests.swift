import HangGuard
import Postgres
import TestKit
import Testing

@Suite(.guarded) struct ConnectionTests {
    private func connect() throws -> Connection { try Connection.open(PostgresCluster.shared.get().makeDatabase()) }

    @Test func statementsQueuedBeforeACommitAreOneTransaction() throws {
        let connection = try connect()
        try connection.run("create table t (n int)")
        try connection.commit()
        for sql in ["insert into t values (1)", "insert into t values (1 / 0)", "insert into t values (3)"] { try connection.run(sql) }
        try connection.commit()
        try connection.run("insert into t values (4)")
        try connection.commit()
        try connection.run("select count(*), min(n)::int8 from t")
        try connection.commit()
        let answers = try connection.exchange()
        #expect(
            answers.map(\.name) == ["rows", "committed", "rows", "22012", "skipped", "committed", "rows", "committed", "rows", "committed"])
        guard case .rows(let rows) = answers[8] else { return }
        #expect(rows.int64(0, 0) == 1)
        #expect(rows.int64(0, 1) == 4)
    }

    @Test func parametersRoundTripUnchanged() throws {
        let connection = try connect()
        var parameters = Parameters()
        let texts = ["", "plain", "é, 🙂 and \"quotes\" {\\}", String(repeating: "x", count: 100_000)]
        let sets = [Int8Multirange.empty, Int8Multirange([1..<5, 7..<8]), Int8Multirange([Int64.min..<0, 5..<Int64.max])]
        parameters.append(texts)
        parameters.append([nil, "a", nil] as [String?])
        parameters.append([Int64.min, nil, -1, .max] as [Int64?])
        parameters.append([Int32.min, 0, .max])
        parameters.append([true, false])
        parameters.append([PostgresTime(unixMilliseconds: 0), nil, PostgresTime(unixMilliseconds: 1_795_474_800_123)])
        parameters.append(sets)
        parameters.append("one")
        parameters.append(Int64(42))
        parameters.append(true)
        try connection.prepare(
            "all",
            """
            select $1::text[], array_to_string($2::text[], ',', '-'), $3::int8[] = array[-9223372036854775808, null, -1, 9223372036854775807],
                $4::int4[] = array[-2147483648, 0, 2147483647], $5::bool[] = array[true, false],
                $6::timestamptz[] = array['1970-01-01 00:00:00+00', null, '2026-11-23 23:00:00.123+00']::timestamptz[],
                $7::int8multirange[], $8::text, $9::int8, $10::bool, ($7::int8multirange[])[2], ($7::int8multirange[])[3], ($6::timestamptz[])[3],
                ($4::int4[])[1], null::text
            """)
        try connection.execute("all", parameters)
        try connection.commit()
        let answers = try connection.exchange()
        guard answers.count == 3, case .rows(let rows) = answers[1] else {
            Issue.record("\(answers)")
            return
        }
        #expect(rows.count == 1)
        #expect(rows.texts(0, 0) == texts)
        #expect(rows.text(0, 1) == "-,a,-")
        for column in 2...5 { #expect(rows.bool(0, column) == true) }
        #expect(rows.text(0, 7) == "one")
        #expect(rows.int64(0, 8) == 42)
        #expect(rows.bool(0, 9) == true)
        #expect(rows.multirange(0, 10) == sets[1])
        #expect(rows.multirange(0, 11) == sets[2])
        #expect(rows.time(0, 12)?.unixMilliseconds == 1_795_474_800_123)
        #expect(rows.int32(0, 13) == .min)
        #expect(rows.text(0, 14) == nil)
        // What is not there, or is something else, is nil.
        #expect(rows.text(1, 0) == nil && rows.text(0, 99) == nil && rows.text(-1, 0) == nil)
        #expect(rows.int64(0, 13) == nil && rows.int32(0, 8) == nil && rows.multirange(0, 7) == nil && rows.texts(0, 6) == nil)
    }

    @Test func textsInTwoPartsAreStoredAsOne() throws {
        let connection = try connect()
        var parameters = Parameters()
        parameters.append(joined: [("inbox:", "é"), ("", ""), ("a", "")])
        parameters.append([Int64.min, .max])
        try connection.prepare("joined", "select $1::text[], $2::int8[]")
        try connection.execute("joined", parameters)
        try connection.commit()
        guard case .rows(let rows)? = try connection.exchange().dropFirst().first else { return #expect(Bool(false)) }
        #expect(rows.texts(0, 0) == ["inbox:é", "", "a"])
        #expect(rows.int64s(0, 1) == [.min, .max])
    }

    @Test func emptyArraysAreArraysWithoutElements() throws {
        let connection = try connect()
        var parameters = Parameters()
        parameters.append([] as [String])
        parameters.append([] as [Int8Multirange])
        try connection.run("select cardinality($1::text[])::int8, cardinality($2::int8multirange[])::int8, array[]::text[]", parameters)
        try connection.commit()
        guard case .rows(let rows) = try connection.exchange()[0] else { return }
        #expect(rows.int64(0, 0) == 0)
        #expect(rows.int64(0, 1) == 0)
        #expect(rows.texts(0, 2) == [])
    }

    @Test func textWithNulIsRefusedAndNotCut() throws {
        let connection = try connect()
        var parameters = Parameters()
        parameters.append(["a\0b"])
        try connection.run("select $1::text[]", parameters)
        try connection.commit()
        guard case .failed(let error) = try connection.exchange()[0] else {
            Issue.record("accepted")
            return
        }
        #expect(error.sqlState == "22021")
        #expect(error.meaning == .data)
        #expect(!error.lost)
    }

    @Test func moreBytesThanTheSocketBuffersHoldPassInBothDirections() throws {
        let connection = try connect()
        let text = String(repeating: "0123456789", count: 300_000)
        for _ in 0..<8 {
            var parameters = Parameters()
            parameters.append(text)
            try connection.run("select $1::text", parameters)
        }
        try connection.commit()
        let answers = try connection.exchange()
        #expect(answers.count == 9)
        for case .rows(let rows) in answers { #expect(rows.text(0, 0) == text) }
    }

    @Test func aCommitThatItselfFailsIsALostConnection() throws {
        let connection = try connect()
        try connection.run("create table t (n int unique deferrable initially deferred)")
        try connection.commit()
        _ = try connection.exchange()
        try connection.run("insert into t values (1), (1)")
        try connection.commit()
        let error = try #require(throws: PostgresError.self) { try connection.exchange() }
        #expect(error.lost && error.sqlState == "23505")
    }

    @Test func aKilledConnectionIsLost() throws {
        let connection = try connect()
        try connection.run("select pg_terminate_backend(pg_backend_pid())")
        try connection.commit()
        let error = #expect(throws: PostgresError.self) { _ = try connection.exchange() }
        #expect(error?.lost == true)
    }

    @Test(arguments: ["host=/nowhere dbname=x", "no such thing", "postgresql://[::1"])
    func anUnreachableAddressIsAnError(address: String) {
        #expect(throws: PostgresError.self) { _ = try Connection.open(address) }
        #expect(throws: PostgresError.self) { _ = try BlockingConnection(address, applicationName: "tests") }
    }

    @Test(arguments: [
        ("22021", PostgresError.Meaning.data), ("23505", .data), ("54000", .data), ("40P01", .conflict), ("40001", .conflict),
        ("57014", .slow), ("57P01", .passing), ("53100", .passing), ("25006", .readOnly), ("42P01", .schema), ("3F000", .schema),
        ("42501", .passing),
        ("XX000", .passing),
    ])
    func theSQLStateTellsWhoIsAtFault(state: String, meaning: PostgresError.Meaning) {
        #expect(PostgresError(sqlState: state, message: "").meaning == meaning)
    }

    @Test(arguments: [Int64(0), 1, -1, 999, -999, -1_000, -1_001, 946_684_800_000, 1_795_474_800_123, -62_135_596_800_000])
    func timesSurviveTheConversionToThePostgresEpoch(milliseconds: Int64) {
        #expect(PostgresTime(unixMilliseconds: milliseconds)?.unixMilliseconds == milliseconds)
    }

    @Test func timesOutOfRangeAreNil() {
        #expect(PostgresTime(unixMilliseconds: .max) == nil)
        #expect(PostgresTime(unixMilliseconds: .min) == nil)
    }
}

extension Connection.Answer {
    /// What a dialogue reads like: a failure shows its SQLSTATE.
    fileprivate var name: String {
        switch self {
        case .rows: "rows"
        case .failed(let error): error.sqlState ?? "failed"
        case .skipped: "skipped"
        case .committed: "committed"
        }
    }
}
