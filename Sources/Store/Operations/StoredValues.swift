import Bytes
import JSON
package import Messaging
package import Postgres

// How values of the domain are written to and read from the database.

/// Text compared by its bytes, as the database compares it. For Swift's `String`, é and e + ´ are equal, which would join
/// the cursors of two users.
struct ByteText: Hashable {
    let text: String
    init(_ text: String) { self.text = text }
    static func == (a: ByteText, b: ByteText) -> Bool { a.text.isSameText(as: b.text) }
    func hash(into hasher: inout Hasher) {
        hasher.combine(text)
    }
}

extension Seq {
    /// As PostgreSQL's bigint; one less than its maximum, so that the upper bound of a half-open range fits.
    package var stored: Int64 { Int64(clamping: min(rawValue, UInt64(Int64.max) - 1)) }

    package init?(stored: Int64?) {
        guard let stored, stored >= 0 else { return nil }
        self.init(UInt64(stored))
    }
}

extension Timestamp {
    package init(_ time: PostgresTime) { self.init(milliseconds: time.unixMilliseconds) }

    /// A moment that PostgreSQL cannot store becomes the nearest that it can.
    package var stored: PostgresTime {
        // timestamp.h: END_TIMESTAMP is the year 294277, DT's minimum 4714 BC.
        let bounded = min(max(milliseconds, -210_866_803_200_000), 9_224_318_015_999_999)
        return PostgresTime(unixMilliseconds: bounded) ?? PostgresTime(microseconds: 0)
    }
}

extension ChannelState {
    /// Reads the columns after the first two: those of `init(cursorIn:)`, members, their progress (delivered, read),
    /// next expiry.
    package init?(_ rows: Rows, _ row: Int, channel: Channel) {
        self.init(cursorIn: rows, row, from: 2, channel: channel, recountAt: 14)
        members = (rows.texts(row, 11) ?? []).compactMap { UserID($0) }
        progress = zip(members, zip(rows.int64s(row, 12) ?? [], rows.int64s(row, 13) ?? [])).compactMap { member, reached in
            guard let delivered = Seq(stored: reached.0), let read = Seq(stored: reached.1) else { return nil }
            return MemberProgress(member, delivered: delivered, read: read)
        }
    }

    /// Reads the columns from `first` on: head, delivered, seen, read, read_set, version, unread, unseen, urgent; and the next expiry.
    package init?(cursorIn rows: Rows, _ row: Int, from first: Int, channel: Channel, recountAt: Int) {
        guard let head = Seq(stored: rows.int64(row, first)), let delivered = Seq(stored: rows.int64(row, first + 1)),
            let seen = Seq(stored: rows.int64(row, first + 2)), let read = Seq(stored: rows.int64(row, first + 3)),
            let readSet = rows.multirange(row, first + 4), let version = rows.int64(row, first + 5), version >= 0,
            let unread = rows.int32(row, first + 6), let unseen = rows.int32(row, first + 7), let urgent = rows.int32(row, first + 8)
        else { return nil }
        var readAlso: [ClosedRange<UInt64>] = []
        for range in readSet.ranges {
            guard range.lowerBound >= 0, !range.isEmpty else { return nil }
            readAlso.append(UInt64(range.lowerBound)...UInt64(range.upperBound - 1))
        }
        self.init(
            channel: channel, head: head,
            cursor: Cursor(delivered: delivered, seen: seen, read: read, readAlso: readAlso),
            counters: Counters(unread: UInt32(clamping: unread), unseen: UInt32(clamping: unseen), urgent: UInt32(clamping: urgent)),
            cursorVersion: UInt64(version), nextExpiry: rows.time(row, recountAt).map { Timestamp($0) })
    }
}
