import Messaging
import Postgres
import StoreAPI

/// `page` orders: stretches of entries.
struct PageBatch: Batch {
    struct Page: Hashable {
        let channel: Channel
        let after: Seq?
        let before: Seq?
        let limit: Int

        init?(_ request: StoreRequest) {
            guard case .page(let channel, let after, let before, let limit) = request else { return nil }
            self.channel = channel
            self.after = after
            self.before = before
            self.limit = PageBatch.bounded(limit)
        }
    }

    /// Each page once: clients that were cut together ask for the same one.
    private var pages: [Page] = []
    /// Which page answers an order.
    private var places: [Int] = []

    /// A longer page is cut, as if that had been asked for.
    static func bounded(_ limit: Int) -> Int { min(max(limit, 0), 1_000) }

    /// Most bytes of content in a page, its first entry aside. 1 MiB: a page, and a few replies more, must pass through a socket's
    /// backlog, whatever was published; a hundred entries of the largest size would be six.
    static let bytes = 1 << 20

    init(_ orders: [PendingOrder]) {
        var known: [Page: Int] = [:]
        for pending in orders {
            guard let page = Page(pending.order.request) else {
                assertionFailure("not a page order")
                continue
            }
            let place = known[page] ?? pages.count
            if place == pages.count {
                known[page] = place
                pages.append(page)
            }
            places.append(place)
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(pages.map(\.channel.storedName))
        parameters.append(pages.map { $0.after?.stored })
        parameters.append(pages.map { $0.before?.stored })
        // One more than asked for tells whether there is more.
        parameters.append(pages.map { Int32(truncatingIfNeeded: $0.limit + 1) })
        return [(.pages, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var found = pages.map { _ in (head: Seq.zero, entries: [Entry]()) }
        for row in 0..<rows.count {
            guard let place = rows.int32(row, 0), place >= 1, place <= pages.count, let head = Seq(stored: rows.int64(row, 1)) else {
                return nil
            }
            let index = Int(place) - 1
            found[index].head = head
            guard rows.int64(row, 2) != nil else { continue }
            guard let entry = Entry(rows, row, channel: pages[index].channel) else { return nil }
            found[index].entries.append(entry)
        }
        let replies = zip(pages, found).map { page, found in
            let fitting = PageBatch.fitting(page.after != nil ? found.entries : found.entries.reversed(), page.limit)
            let entries = page.after != nil ? found.entries.prefix(fitting) : found.entries.suffix(fitting)
            return StoreReply.page(Array(entries), head: found.head, more: fitting < found.entries.count)
        }
        return BatchOutcome(replies: places.map { replies[$0] })
    }

    /// How many of the entries, in the direction of reading, make up a page.
    private static func fitting(_ entries: [Entry], _ limit: Int) -> Int {
        var size = 0
        for (index, entry) in entries.enumerated() {
            // The braces are not kept.
            size += entry.draft.content.utf8.count + 2
            if index == limit || index > 0 && size > bytes { return index }
        }
        return entries.count
    }
}

extension Entry {
    /// Reads the columns after the first two, as `Statement.pages` names them.
    fileprivate init?(_ rows: Rows, _ row: Int, channel: Channel) {
        guard let seq = Seq(stored: rows.int64(row, 2)), let createdAt = rows.time(row, 3),
            let source = rows.text(row, 4), let id = rows.text(row, 5),
            let kind = rows.text(row, 6).flatMap({ EntryDraft.Kind(rawValue: $0) }), let eventType = rows.text(row, 7),
            let priority = rows.text(row, 8).flatMap({ EntryDraft.Priority(rawValue: $0) }),
            let form = rows.text(row, 9).flatMap({ EntryDraft.Form(rawValue: $0) }),
            let content = rows.text(row, 11), content.utf8.first == UInt8(ascii: "{"), content.utf8.last == UInt8(ascii: "}"),
            content.utf8.count >= 2, let receiptRequired = rows.bool(row, 15)
        else { return nil }
        self.init(
            seq: seq, createdAt: Timestamp(createdAt),
            draft: EntryDraft(
                channel: channel, source: source, id: id, kind: kind, eventType: eventType, priority: priority, form: form,
                sender: rows.text(row, 10).flatMap { UserID($0) }, content: String(Substring(content.utf8.dropFirst().dropLast())),
                group: rows.text(row, 12), collapse: rows.text(row, 13), expiresAt: rows.time(row, 14).map { Timestamp($0) },
                receiptRequired: receiptRequired, trace: rows.text(row, 16)))
    }
}
