import Messaging
import Postgres
import StoreAPI

/// `page` orders.
enum Pages: StoreOperation {
    static let statements: [Statement] = [.pages]
    static let lane = LaneName.reads
    static let capacity = 2_000
    // A page may hold 1 MiB, so a few of them are as slow as hundreds of other orders.
    static let unsorted = 8
    static let share = 256
    static let quantum = 128
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { PageBatch(orders) }

    /// The weight of an order is 1 plus the entries of its page. An order for a page that the batch already reads weighs 1.
    struct Filling: BatchFilling {
        private var pages: Set<PageBatch.Page> = []

        func weight(of request: StoreRequest) -> Int? {
            guard let page = PageBatch.Page(request), !pages.contains(page) else { return 1 }
            return 1 + page.limit
        }

        mutating func add(_ request: StoreRequest) {
            if let page = PageBatch.Page(request) { pages.insert(page) }
        }
    }
}

/// Reads consecutive entries of channels.
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

    /// Each page once. Clients that lost their connections together ask for the same page.
    private var pages: [Page] = []
    /// Per order the index of the page that answers it.
    private var pageOf: [Int] = []

    /// A longer page is cut to the longest that is allowed.
    static func bounded(_ limit: Int) -> Int { min(max(limit, 0), 1_000) }

    /// Most bytes of content in a page; its first entry may exceed it. 1 MiB, because a page and a few other replies must fit into a
    /// socket's backlog. A hundred entries of the largest size would be 6 MiB.
    static let bytes = 1 << 20

    init(_ orders: [PendingOrder]) {
        var known: [Page: Int] = [:]
        for pending in orders {
            guard let page = Page(pending.order.request) else {
                assertionFailure("not a page order")
                continue
            }
            let index = known[page] ?? pages.count
            if index == pages.count {
                known[page] = index
                pages.append(page)
            }
            pageOf.append(index)
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(pages.map(\.channel.storedName))
        parameters.append(pages.map { $0.after?.stored })
        parameters.append(pages.map { $0.before?.stored })
        // The statement reads one entry more than asked for, so that the reply can say whether there are more.
        parameters.append(pages.map { Int32(truncatingIfNeeded: $0.limit + 1) })
        return [(.pages, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var found = pages.map { _ in (head: Seq.zero, entries: [Entry]()) }
        for row in 0..<rows.count {
            guard let position = rows.int32(row, 0), position >= 1, position <= pages.count, let head = Seq(stored: rows.int64(row, 1))
            else {
                return nil
            }
            let index = Int(position) - 1
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
        return BatchOutcome(replies: pageOf.map { replies[$0] })
    }

    /// The number of entries that fit into a page, counted in the direction of reading.
    private static func fitting(_ entries: [Entry], _ limit: Int) -> Int {
        var size = 0
        for (index, entry) in entries.enumerated() {
            // A stored entry has no braces around its content.
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
                receiptRequired: receiptRequired, trace: rows.text(row, 16)),
            hiddenFrom: (rows.texts(row, 17) ?? []).compactMap { UserID($0) })
    }
}

extension Statement {
    /// $1 channel, $2 after or null, $3 before or null, $4 how many entries at most. Returns at least one row per channel that exists:
    /// position of the page (from 1), head, then the entry's columns, null when there is no entry. A page that reached a bound has one
    /// more row, the entry that does not fit. Its presence says that there are more entries.
    static let pages = Statement(
        name: "pages",
        sql: """
            select a.ordinal::int4, c.last_seq, e.*
            from unnest($1::text[], $2::int8[], $3::int8[], $4::int4[]) with ordinality a (channel, after, before, max_count, ordinal)
            join \(Clause.namedChannel) c on true
            left join lateral (
                select \(entryColumns) from (
                    (select e.*, row_number() over w as nth, sum(octet_length(e.content::text)) over w - octet_length(e.content::text) as ahead
                     from hub.entry e
                     where e.channel_id = c.id and a.after is not null and e.seq > a.after
                     window w as (order by e.seq rows unbounded preceding)
                     order by e.seq limit a.max_count)
                    union all
                    (select e.*, row_number() over w, sum(octet_length(e.content::text)) over w - octet_length(e.content::text)
                     from hub.entry e
                     where e.channel_id = c.id and a.after is null and e.seq < coalesce(a.before, 9223372036854775807)
                     window w as (order by e.seq desc rows unbounded preceding)
                     order by e.seq desc limit a.max_count)
                ) e
                where e.nth <= 2 or e.ahead <= \(PageBatch.bytes)
            ) e on true
            order by a.ordinal, e.seq
            """)

    private static let entryColumns = """
        e.seq, e.created_at, e.source, e.source_id, e.kind, e.event_type, e.priority, e.form, e.sender, e.content, e.group_key,
        e.collapse_key, e.expires_at, e.receipt_required, e.trace, e.hidden_from
        """
}
