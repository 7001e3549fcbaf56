import CPostgres

/// The parameters that libpq connects with.
struct ConnectionSettings {
    private var text: [CChar] = []
    private var keys: [Int] = []
    private var values: [Int] = []

    init(_ address: String, applicationName: String) {
        set("fallback_application_name", applicationName)
        set("connect_timeout", "10")
        set("target_session_attrs", "read-write")
        set("keepalives_idle", "15")
        set("keepalives_interval", "5")
        set("keepalives_count", "3")
        set("tcp_user_timeout", "15000")
        // libpq lets the later setting win, and expands the address at the position of `dbname`.
        set("dbname", address)
        set("client_encoding", "UTF8")
    }

    private mutating func set(_ key: String, _ value: String) {
        keys.append(text.count)
        text.append(contentsOf: key.utf8CString)
        values.append(text.count)
        text.append(contentsOf: value.utf8CString)
    }

    /// Null-terminated arrays of keywords and values, as `PQconnectStartParams` wants them.
    func withPointers(
        _ connect: (UnsafePointer<UnsafePointer<CChar>?>, UnsafePointer<UnsafePointer<CChar>?>) -> OpaquePointer?
    ) -> OpaquePointer? {
        unsafe text.withUnsafeBufferPointer { text in
            guard let start = text.baseAddress else { return nil }
            let keyPointers = unsafe keys.map { unsafe Optional(start + $0) } + [nil]
            let valuePointers = unsafe values.map { unsafe Optional(start + $0) } + [nil]
            return unsafe keyPointers.withUnsafeBufferPointer { keys in
                unsafe valuePointers.withUnsafeBufferPointer { values in
                    guard let keys = keys.baseAddress, let values = values.baseAddress else { return nil }
                    return unsafe connect(keys, values)
                }
            }
        }
    }
}

extension Parameters {
    /// Lends the parameters in the form of libpq's arguments. libpq copies them into its own output buffer.
    func withPointers(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) -> Int32
    ) -> Int32 {
        let lengths = ranges.map { Int32(truncatingIfNeeded: $0?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: ranges.count)
        return unsafe bytes.withUnsafeBytes { bytes in
            let start = unsafe bytes.bindMemory(to: CChar.self).baseAddress
            let values = unsafe ranges.map { range in unsafe range.flatMap { range in unsafe start.map { unsafe $0 + range.lowerBound } } }
            return unsafe values.withUnsafeBufferPointer { values in
                unsafe lengths.withUnsafeBufferPointer { lengths in
                    unsafe formats.withUnsafeBufferPointer { formats in
                        unsafe body(Int32(truncatingIfNeeded: ranges.count), values.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }
}

extension String {
    /// libpq's messages end with a newline.
    init(libpq message: UnsafePointer<CChar>?) {
        guard let message = unsafe message else {
            self = ""
            return
        }
        let text = unsafe String(cString: message)
        self = String(text.reversed().drop { $0.isWhitespace }.reversed())
    }
}

extension Rows {
    /// What went wrong, when this is the result of a failed statement.
    var error: PostgresError {
        unsafe PostgresError(
            sqlState: PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { unsafe String(cString: $0) },
            // Not the detail: it quotes whole rows.
            message: String(libpq: PQresultErrorField(result, Int32(UInt8(ascii: "M")))))
    }
}
