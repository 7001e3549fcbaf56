internal import Bytes

/// A row of a database of the platform, and the rule that made an entry from it. The entry is taken back when the rule no longer holds.
public struct Cause: Equatable, Sendable {
    /// Most bytes of `row`: an index contains it.
    public static let rowBytes = 512

    /// `<database>/<schema>.<table>/<key>`.
    public var row: String
    public var rule: String
    /// The change of the row that made the entry. nil: it is not compared with others, because a replay has found that the entry is still true.
    public var change: ChangePosition?
    public init(row: String, rule: String, change: ChangePosition?) {
        self.row = row
        self.rule = rule
        self.change = change
    }
}

/// When a database changed a row: the position in its log, and the time.
public struct ChangePosition: Equatable, Sendable {
    /// The log's position of the last commit; 0 when it is not known.
    public var commit: Int64
    public var lsn: Int64
    /// By the clock of that database.
    public var time: Timestamp
    public init(commit: Int64, lsn: Int64, time: Timestamp) {
        self.commit = commit
        self.lsn = lsn
        self.time = time
    }

    /// Whether this change of a row comes after another one of the same row. A smaller position with a later time does, too: the database
    /// was restored, and its log is shorter than it was.
    public func isNewer(than other: ChangePosition) -> Bool {
        if time > other.time { return true }
        if commit > 0, other.commit > 0 { return (commit, lsn) > (other.commit, other.lsn) }
        return lsn > other.lsn
    }
}

/// Takes entries of the platform back that were stored before.
public struct Retraction: Equatable, Sendable {
    public enum Target: Equatable, Sendable {
        /// The entries that the row caused, by all rules or by one.
        case cause(row: String, rule: String?)
        /// The entry of one event.
        case event(source: String, id: String, Channel)
        /// The entries of the group that the channel has.
        case group(String, Channel)
    }

    public var target: Target
    /// The row whose change takes the entries back, or the event that does (`event/<source>/<id>`). It is carried out once for each change.
    public var origin: String
    /// nil: carrying it out twice does no harm.
    public var change: ChangePosition?
    /// How many drafts of the same record or request come before it. It takes these back, too, and none that follows.
    public var after: Int
    public init(_ target: Target, origin: String, change: ChangePosition?, after: Int) {
        self.target = target
        self.origin = origin
        self.change = change
        self.after = after
    }

    /// The channel that it names; nil when it finds its entries by their cause.
    public var channel: Channel? {
        switch target {
        case .cause: nil
        case .event(_, _, let channel), .group(_, let channel): channel
        }
    }

    public var isOfGroup: Bool { if case .group = target { true } else { false } }

    /// The same retraction in a list of drafts that has `count` more at its beginning.
    public func moved(by count: Int) -> Retraction {
        var moved = self
        moved.after += count
        return moved
    }

    /// Whether it takes the entry of this draft back.
    func takes(_ draft: EntryDraft) -> Bool {
        switch target {
        case .cause(let row, let rule):
            guard let cause = draft.cause, cause.row.isSameText(as: row) else { return false }
            return rule.map { cause.rule.isSameText(as: $0) } ?? true
        case .event(let source, let id, let channel):
            return draft.id.isSameText(as: id) && draft.source.isSameText(as: source) && draft.channel == channel
        case .group(let group, let channel):
            return draft.group?.isSameText(as: group) == true && draft.channel == channel
        }
    }
}

/// What remains to be stored of the drafts and retractions of one request, so that all retractions can run before all drafts.
///
/// - A retraction takes the drafts before it out: their entries are never stored.
/// - A change of a row that comes after a newer change of the same row was sent again, and does nothing.
public struct SettledRequest: Equatable, Sendable {
    /// Indices of the drafts that are to be stored, ascending.
    public private(set) var drafts: [Int] = []
    /// Indices of the retractions that are to be carried out, in their order.
    public private(set) var retractions: [Int] = []
    /// For each of `retractions` whether it took drafts out.
    public private(set) var hasTaken: [Bool] = []

    /// - Parameter retractions: ascending by `after`.
    public init(_ drafts: [EntryDraft], _ retractions: [Retraction]) {
        var newest: [[UInt8]: ChangePosition] = [:]
        var remaining = drafts.map { _ in true }
        var draftsOfRow: [[UInt8]: [Int]] = [:]

        func isOutdated(_ origin: [UInt8], _ change: ChangePosition) -> Bool {
            if let known = newest[origin], known != change, !change.isNewer(than: known) { return true }
            newest[origin] = change
            return false
        }

        var next = 0
        for index in 0...drafts.count {
            while next < retractions.count, retractions[next].after <= index || index == drafts.count {
                let retraction = retractions[next]
                next += 1
                let origin = Array(retraction.origin.utf8)
                if let change = retraction.change, isOutdated(origin, change) { continue }
                let candidates =
                    if case .cause(let row, _) = retraction.target { draftsOfRow[Array(row.utf8)] ?? [] } else { Array(0..<index) }
                var takes = false
                for candidate in candidates where remaining[candidate] && retraction.takes(drafts[candidate]) {
                    remaining[candidate] = false
                    takes = true
                }
                self.retractions.append(next - 1)
                hasTaken.append(takes)
            }
            guard index < drafts.count, let cause = drafts[index].cause else { continue }
            let row = Array(cause.row.utf8)
            if let change = cause.change { remaining[index] = !isOutdated(row, change) }
            draftsOfRow[row, default: []].append(index)
        }
        self.drafts = remaining.indices.filter { remaining[$0] }
    }
}
