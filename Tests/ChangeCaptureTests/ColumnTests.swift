import HangGuard
import JSON
import Testing

@testable import ChangeCapture

/// Debezium, PostgreSQL connector, "Data type mappings", "Temporal types", "Decimal types".
@Suite("14: types of columns", .guarded)
struct ColumnTests {
    typealias Example = (json: String, schema: String, sql: String, mode: TimePrecision, value: ColumnValue)

    @Test(
        "Each time.precision.mode gives the same value, by the schema and by the declared type",
        arguments: [
            (#"19782"#, Records.field("int32", "io.debezium.time.Date"), "date", .adaptive, .date(19_782)),
            (#"19782"#, Records.field("int32", "org.apache.kafka.connect.data.Date"), "date", .connect, .date(19_782)),
            (#""2024-02-29Z""#, Records.field("string", "io.debezium.time.IsoDate"), "date", .isostring, .date(19_782)),
            ("49530123", Records.field("int32", "io.debezium.time.Time"), "time(3)", .adaptive, .time(49_530_123_000)),
            ("49530123456", Records.field("int64", "io.debezium.time.MicroTime"), "time", .adaptive, .time(49_530_123_456)),
            (
                "49530123000", Records.field("int64", "io.debezium.time.MicroTime"), "time(3)", .adaptiveTimeMicroseconds,
                .time(49_530_123_000)
            ),
            ("49530123", Records.field("int32", "org.apache.kafka.connect.data.Time"), "time", .connect, .time(49_530_123_000)),
            ("49530123456789", Records.field("int64", "io.debezium.time.NanoTime"), "time", .nanoseconds, .time(49_530_123_456)),
            (#""13:45:30.123456Z""#, Records.field("string", "io.debezium.time.IsoTime"), "time", .isostring, .time(49_530_123_456)),
            (#""11:45:30Z""#, Records.field("string", "io.debezium.time.ZonedTime"), "timetz", .adaptive, .time(42_330_000_000)),
            ("-1", Records.field("int64", "io.debezium.time.Timestamp"), "timestamp(3)", .adaptive, .timestamp(-1_000)),
            ("-1", Records.field("int64", "io.debezium.time.MicroTimestamp"), "timestamp", .adaptive, .timestamp(-1)),
            ("-1", Records.field("int64", "org.apache.kafka.connect.data.Timestamp"), "timestamp", .connect, .timestamp(-1_000)),
            ("-1", Records.field("int64", "io.debezium.time.MicroTimestamp"), "timestamp(0)", .microseconds, .timestamp(-1)),
            ("-1", Records.field("int64", "io.debezium.time.NanoTimestamp"), "timestamp", .nanoseconds, .timestamp(-1)),
            ("-2000", Records.field("int64", "io.debezium.time.NanoTimestamp"), "timestamp", .nanoseconds, .timestamp(-2)),
            (
                #""1969-12-31T23:59:59.5Z""#, Records.field("string", "io.debezium.time.IsoTimestamp"), "timestamp", .isostring,
                .timestamp(-500_000)
            ),
            (
                #""1970-01-01T02:00:00+02:00""#, Records.field("string", "io.debezium.time.ZonedTimestamp"), "timestamptz", .adaptive,
                .timestamp(0)
            ),
            (#""infinity""#, Records.field("string", "io.debezium.time.ZonedTimestamp"), "timestamptz", .adaptive, .infinity),
            (#""-infinity""#, Records.field("string", "io.debezium.time.ZonedTimestamp"), "timestamptz", .adaptive, .negativeInfinity),
            ("9223372036825200000", Records.field("int64", "io.debezium.time.MicroTimestamp"), "timestamp", .adaptive, .infinity),
            ("-9223372036832400000", Records.field("int64", "io.debezium.time.MicroTimestamp"), "timestamp", .adaptive, .negativeInfinity),
            (
                "37091106700000", Records.field("int64", "io.debezium.time.MicroDuration"), "interval", .adaptive,
                .duration(37_091_106_700_000)
            ),
            (
                #""P1Y2M3DT4H5M6.7S""#, Records.field("string", "io.debezium.time.Interval"), "interval", .adaptive,
                .duration(37_091_106_700_000)
            ),
            (
                #""P0Y0M-1DT0H0M-0.5S""#, Records.field("string", "io.debezium.time.Interval"), "interval", .adaptive,
                .duration(-86_400_500_000)
            ),
        ] as [Example])
    func times(_ example: Example) {
        #expect(Records.value(example.json, example.schema) == example.value)
        #expect(Records.value(example.json, declared: example.sql) { $0.timePrecision = example.mode } == example.value)
    }

    @Test(
        "Decimals of each mode are exact",
        arguments: [
            (#""BOI=""#, "2", "numeric(5,2)", "12.50"), (#""/w==""#, "2", "numeric(5,2)", "-0.01"), (#""""#, "2", "numeric(5,2)", "0.00"),
            (#""AA==""#, "0", "numeric(5)", "0"), (#""gAAAAAAAAAA=""#, "0", "numeric(20)", "-9223372036854775808"),
            (#""AQAAAAAAAAAA""#, "0", "numeric(20)", "18446744073709551616"),
            (#""/wAAAAAAAAAA""#, "0", "numeric(20)", "-18446744073709551616"),
            (#""CUmw9vACMxPESZBQ5NhfFQ==""#, "9", "numeric(38,9)", "12345678901234567890123456789.123456789"),
            (#""AQ==""#, "-3", "numeric(2,-3)", "1000"),
            (#""12.50""#, "2", "numeric(5,2)", "12.50"), (#""-7""#, "2", "numeric(5,2)", "-7.00"), ("12.5", "2", "numeric(5,2)", "12.50"),
            ("1.25E+3", "0", "numeric(6)", "1250"), ("1e-3", "3", "numeric(6,3)", "0.001"),
            (#"{"scale":14,"value":"AR2552okgw=="}"#, "", "numeric", "3.14159265358979"), (#""0.1""#, "", "numeric", "0.1"),
        ])
    func decimals(json: String, scale: String, sql: String, expected: String) {
        let schema =
            scale.isEmpty
            ? Records.field("struct", "io.debezium.data.VariableScaleDecimal")
            : Records.field("bytes", "org.apache.kafka.connect.data.Decimal", #","parameters":{"scale":"\#(scale)"}"#)
        #expect(Records.value(json, schema) == .decimal(expected))
        #expect(Records.value(json, declared: sql) == .decimal(expected))
    }

    @Test("A decimal as text needs a declared type, and its scale decides the zeros; NaN and infinity are values of their own")
    func decimalTexts() {
        #expect(Records.value(#""1250""#, declared: "numeric(9,2)") { $0.decimalForm = .text } == .decimal("1250.00"))
        #expect(Records.value(#""12""#, declared: "numeric") == .decimal("12"))
        #expect(Records.value(#""NaN""#, declared: "numeric(5,2)") == .notANumber)
        #expect(Records.value(#""-Infinity""#, declared: "numeric") == .negativeInfinity)
        #expect(Records.value(#""NaN""#, declared: "real") == .notANumber && Records.value(#""Infinity""#, declared: "real") == .infinity)
        var options = ChangeOptions()
        options.columnTypes[TableName(table: "note")] = ["v": .numeric(scale: 2)]
        let wrapped =
            #"{"schema":{"type":"struct","fields":[{"field":"after","type":"struct","fields":[{"type":"string","field":"v"}]}]},"payload":"#
            + String(decoding: Records.envelope("c", after: #"{"v":"12.50"}"#).value ?? [], as: UTF8.self) + "}"
        #expect(ChangeDecoder(options).decoded(Records.record("t", nil, wrapped)).row?.after?["v"] == .decimal("12.50"))
    }

    @Test("Numbers may be texts")
    func numbersAsTexts() {
        for (json, sql, value) in [
            (#""7""#, "bigint", .int(7)), (#""0.5""#, "double precision", .double(0.5)), (#""19782""#, "date", .date(19_782)),
            (#""1000""#, "time", .time(1_000)), (#""1000""#, "timestamp(3)", .timestamp(1_000_000)), (#""5""#, "interval", .duration(5)),
            (#""true""#, "boolean", .bool(true)),
        ] as [(String, String, ColumnValue)] {
            #expect(Records.value(json, declared: sql) == value)
        }
    }

    @Test("Bytes of each binary.handling.mode")
    func bytes() {
        #expect(Records.value(#""AP8Q""#, Records.field("bytes")) == .bytes([0, 0xFF, 0x10]))
        #expect(Records.value(#""AP8Q""#, declared: "bytea") == .bytes([0, 0xFF, 0x10]))
        #expect(Records.value(#""-_8=""#, declared: "bytea") { $0.binaryForm = .base64URLSafe } == .bytes([0xFB, 0xFF]))
        #expect(Records.value(#""00fF10""#, declared: "bytea") { $0.binaryForm = .hex } == .bytes([0, 0xFF, 0x10]))
    }

    @Test("Without a type a value is that of its JSON kind")
    func untyped() {
        for (json, value) in [
            ("null", .null), ("true", .bool(true)), ("7", .int(7)), ("7.5", .double(7.5)), (#""7""#, .string("7")),
            ("18446744073709551616", .decimal("18446744073709551616")), ("1.5e400", .decimal("15" + String(repeating: "0", count: 399))),
            (#"{"b":1,"a":[]}"#, .json(#"{"b":1,"a":[]}"#)),
            (#"[1,[null],{}]"#, .array([.int(1), .array([.null]), .json("{}")])),
        ] as [(String, ColumnValue)] {
            #expect(Records.value(json, "") == value)
        }
    }

    @Test(
        "A value that its type does not have rejects the record, and the detail names the path and both kinds",
        arguments: [
            ("true", "text", ChangeRejection.Reason.wrongKind, "after.v: expected a string, found bool"),
            ("{}", "bigint", .wrongKind, "after.v: expected a whole number, found object"),
            ("1.5", "bigint", .badValue, "after.v: expected a whole number, found another value"),
            (#""x""#, "int[]", .wrongKind, "after.v: expected an array of a whole number, found string"),
            (#"[1,"x"]"#, "int[]", .badValue, "after.v[1]: expected a whole number, found another value"),
            (#""{""#, "jsonb", .badValue, "after.v: expected a JSON text of at most 64 levels, found another text"),
            (#""x""#, "timestamptz", .badValue, "after.v: expected a number or an ISO 8601 timestamp, found another value"),
            (#""====""#, "bytea", .badValue, "after.v: expected bytes in base64, found another value"),
            ("9223372036854775807", "timestamp(3)", .badValue, "after.v: expected a number or an ISO 8601 timestamp, found another value"),
            ("1e400", "real", .badValue, "after.v: expected a number, found another value"),
            (#""1.x""#, "numeric", .badValue, "after.v: expected a decimal, found another value"),
            ("1e30000", "numeric", .tooLarge, "after.v: expected a number of at most 20000 digits, found a longer one"),
            (
                #"{"scale":2147483647,"value":"AQ=="}"#, "numeric", .tooLarge,
                "after.v: expected a number of at most 20000 digits, found a longer one"
            ),
        ])
    func rejections(json: String, sql: String, reason: ChangeRejection.Reason, detail: String) {
        var options = ChangeOptions()
        options.columnTypes[TableName(table: "note")] = DeclaredType(sql: sql).map { ["v": $0] }
        let rejection = ChangeDecoder(options).decoded(Records.envelope("c", after: #"{"v":\#(json)}"#)).rejection
        #expect(rejection?.reason == reason && rejection?.detail == detail)
    }

    @Test("A row has at most as many columns as PostgreSQL allows")
    func columns() {
        func row(_ count: Int) -> String { "{" + (0..<count).map { #""c\#($0)":1"# }.joined(separator: ",") + "}" }
        #expect(ChangeDecoder().decoded(Records.envelope("c", after: row(1_600))).kind == "insert")
        #expect(ChangeDecoder().decoded(Records.envelope("c", after: row(1_700))).rejection?.reason == .tooManyColumns)
    }

    @Test("The base64 of long decimals is read as any other", arguments: [1, 7, 8, 9, 63, 64, 65, 1_000])
    func longDecimals(bytes: Int) {
        // 2 to the power of 8 n minus 1 is all ones; its digits are those of repeated doubling.
        var digits: [UInt8] = [1]
        for _ in 0..<(8 * bytes) {
            var carry: UInt8 = 0
            for index in digits.indices {
                let double = digits[index] * 2 + carry
                (digits[index], carry) = (double % 10, double / 10)
            }
            if carry > 0 { digits.append(carry) }
        }
        digits[0] -= 1  // A power of two never ends with zero.
        let expected = digits.reversed().map { String($0) }.joined()
        let ones = [UInt8](repeating: 0xFF, count: bytes)
        #expect(DecimalText.text(unscaled: [0] + ones, scale: 0) == expected)
        #expect(DecimalText.text(unscaled: [0xFF] + [UInt8](repeating: 0, count: bytes - 1) + [1], scale: 0) == "-" + expected)
        #expect(DecimalText.text(unscaled: ones, scale: 1) == "-0.1")
        #expect(DecimalText.text(unscaled: [UInt8](repeating: 1, count: 9_000), scale: 0) == nil)
    }

    @Test("Dates before and after 1970, leap years, and texts that are no date")
    func dates() {
        for (text, days) in [
            ("1970-01-01", 0), ("1969-12-31", -1), ("2000-02-29", 11_016), ("2024-03-01Z", 19_783), ("0001-01-01", -719_162),
            ("-4712-01-01", -2_440_550), ("+10000-01-01", 2_932_897),
        ] as [(String, Int64)] {
            #expect(TimeText.date(text) == days, "\(text)")
        }
        for text in ["", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "2024-1-1", "24-01-01", "2024-01-01x", "x"] {
            #expect(TimeText.date(text) == nil, "\(text)")
        }
        for text in [
            "2024-01-01", "2024-01-01T", "2024-01-01T25:00", "2024-01-01T00:60Z", "2024-01-01T00:00:60Z", "999999999-01-01T00:00Z",
        ] {
            #expect(TimeText.timestamp(text) == nil, "\(text)")
        }
        #expect(
            TimeText.time("24:00:00") == 86_400_000_000 && TimeText.time("24:00:01") == nil
                && TimeText.time("00:30+01:00") == 84_600_000_000)
        for text in ["", "P", "P1", "PT1D", "1D", "P1.5D", "P1DT", "P999999999999999999D"] {
            #expect(TimeText.duration(text) == nil, "\(text)")
        }
    }

    @Test("SQL names of types; unknown ones are nil")
    func declaredTypes() {
        for (sql, type) in [
            ("numeric(10,2)", .numeric(scale: 2)), ("NUMERIC (10, 2)", .numeric(scale: 2)), ("decimal(5)", .numeric(scale: 0)),
            ("numeric", .numeric(scale: nil)), ("timestamp(3) without time zone", .timestamp(precision: 3)),
            ("timestamp with time zone", .timestamptz), ("timestamp(0) with time zone", .timestamptz), ("time", .time(precision: 6)),
            ("character varying(20)", .text), ("double precision", .double), ("text[]", .array(.text)),
            ("numeric(4,1)[][]", .array(.array(.numeric(scale: 1)))), ("bit(8)", .bytea),
        ] as [(String, DeclaredType)] {
            #expect(DeclaredType(sql: sql) == type, "\(sql)")
        }
        for sql in ["", "review_status", "numeric(x)", "[]"] { #expect(DeclaredType(sql: sql) == nil, "\(sql)") }
    }
}
