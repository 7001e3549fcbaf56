package import Messaging

private struct NotAUser: Error {}

extension UserID? {
    fileprivate func unwrapped() throws -> UserID {
        guard let self else { throw NotAUser() }
        return self
    }
}

package func user(_ name: String) throws -> UserID { try UserID(name).unwrapped() }
package func inbox(_ name: String) throws -> Channel { .inbox(try user(name)) }

package func draft(
    _ channel: Channel, _ id: String, source: String = "tests", sender: UserID? = nil, priority: EntryDraft.Priority = .normal,
    content: String = #""title":"t""#, collapse: String? = nil, expiresAt: Timestamp? = nil, receipt: Bool = false,
    group: String? = nil, cause: Cause? = nil
) -> EntryDraft {
    EntryDraft(
        channel: channel, source: source, id: id, kind: sender == nil ? .notification : .message, eventType: "test", priority: priority,
        sender: sender, content: content, group: group, collapse: collapse, expiresAt: expiresAt, receiptRequired: receipt, cause: cause)
}

extension StoreReply {
    package var stored: [StoredDraft]? {
        if case .stored(let drafts) = self { drafts } else { nil }
    }
    package var seqs: [UInt64]? { stored?.map(\.seq.rawValue) }
    package var moved: ChannelState? {
        if case .moved(let cursor, _) = self { cursor.state } else { nil }
    }
    package var changed: Bool? {
        if case .moved(_, let changed) = self { changed } else { nil }
    }
    package var state: ChannelState? {
        if case .state(let state) = self { state } else { nil }
    }
    package var opened: ChannelState? {
        if case .opened(let state, _) = self { state } else { nil }
    }
    package var snapshot: [ChannelState]? {
        if case .snapshot(let states, _) = self { states } else { nil }
    }
    package var page: (entries: [Entry], head: UInt64, more: Bool)? {
        if case .page(let entries, let head, let more) = self { (entries, head.rawValue, more) } else { nil }
    }
}
