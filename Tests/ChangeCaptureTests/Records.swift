import ChangeCapture

/// Records in the form of Debezium's envelope, with parts that a test names.
enum Records {
    static let source =
        #"{"version":"3.6.3.Final","connector":"postgresql","name":"portal","ts_ms":1000,"ts_us":1000123,"snapshot":"false","db":"portal","#
        + #""sequence":"[\"90\",\"100\"]","schema":"public","table":"note","txId":7,"lsn":100,"xmin":null}"#

    static func envelope(
        _ op: String, before: String = "null", after: String = "null", source: String = source, transaction: String = "null",
        key: String? = #"{"id":1}"#, topic: String = "portal.public.note", headers: [(String, String)] = []
    ) -> ChangeRecord {
        record(
            topic, key,
            #"{"before":\#(before),"after":\#(after),"source":\#(source),"transaction":\#(transaction),"op":"\#(op)","ts_ms":1500}"#,
            headers)
    }

    static func record(_ topic: String, _ key: String?, _ value: String?, _ headers: [(String, String)] = []) -> ChangeRecord {
        ChangeRecord(
            topic: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) },
            headers: headers.map { ChangeRecord.Header($0.0, Array($0.1.utf8)) })
    }

    /// The row of an insert whose only column `v` has this JSON value, with a schema for the column.
    static func value(_ json: String, _ schema: String) -> ColumnValue? {
        let row = #"{"type":"struct","optional":true,"field":"after","fields":[\#(schema)]}"#
        let envelope = String(decoding: envelope("c", after: #"{"v":\#(json)}"#, key: nil).value ?? [], as: UTF8.self)
        let record = record("t", nil, #"{"schema":{"type":"struct","fields":[\#(row)]},"payload":\#(envelope)}"#)
        return ChangeDecoder().decoded(record).row?.after?["v"]
    }

    /// The same for a column without a schema and with a declared type.
    static func value(_ json: String, declared sql: String, _ change: (inout ChangeOptions) -> Void = { _ in }) -> ColumnValue? {
        var options = ChangeOptions()
        options.columnTypes[TableName(table: "note")] = DeclaredType(sql: sql).map { ["v": $0] } ?? [:]
        change(&options)
        return ChangeDecoder(options).decoded(envelope("c", after: #"{"v":\#(json)}"#, key: nil)).row?.after?["v"]
    }

    /// A field of a schema for `v`.
    static func field(_ type: String, _ name: String? = nil, _ more: String = "") -> String {
        #"{"type":"\#(type)","optional":true,"field":"v"\#(name.map { #","name":"\#($0)","version":1"# } ?? "")\#(more)}"#
    }
}
