internal import Bytes
internal import OpenSSL

/// The identity of a change. A record that Kafka Connect sends again after a crash has another offset and the same identity.
///
/// The first 128 bits of SHA-256 over the operation, database, schema, table, LSN, transaction id and key. An LSN alone is not enough: the
/// two records of a key change and the records of a truncate share it, and so do all rows of a snapshot. A change without a key also
/// has its row and its order in the transaction, because rows of one COPY share the LSN.
public struct ChangeID: Hashable, Sendable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    /// 32 hexadecimal digits.
    public var description: String { high.hexDigits + low.hexDigits }

    init(_ parts: [String]) {
        var bytes: [UInt8] = []
        for part in parts {
            // With their lengths, so that no two lists of parts give the same bytes.
            bytes.append(contentsOf: String(part.utf8.count).utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(contentsOf: part.utf8)
        }
        let digest = Digest.sha256.hash(bytes.span)
        high = digest[0..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = digest[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }

    init?(_ operation: String, _ source: ChangeSource, _ table: TableName?, _ rest: [String]) {
        guard let lsn = source.lsn else { return nil }
        self.init(
            [
                operation, source.database, table?.schema ?? "", table?.table ?? "", String(lsn),
                source.transactionID.map { String($0) } ?? "",
            ] + rest)
    }
}

extension RowChange {
    /// Nil when the record does not contain the LSN, such as a flattened row without `__lsn`.
    public var id: ChangeID? {
        guard let key else {
            return ChangeID(operation.rawValue, source, table, ["", content, transaction?.totalOrder.map { String($0) } ?? ""])
        }
        return ChangeID(operation.rawValue, source, table, [key.text])
    }
}

extension Truncate {
    public var id: ChangeID? { ChangeID("truncate", source, table, []) }
}

extension LogicalMessage {
    public var id: ChangeID? { ChangeID("message", source, nil, [prefix]) }
}
