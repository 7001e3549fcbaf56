import Auth
package import Bus
import Bytes
import JSON
import Messaging

// What other threads tell the loop.
extension SessionLoop {
    package func hear(_ events: [BusEvent]) {
        for event in events { hear(event) }
        deliverSoon()
    }

    /// What is rare and must not be lost: new keys, and orders of the server.
    func hearControls() {
        let news = inbox.takeKeyNews()
        if let keys = news.keys {
            verifier.replace(keys: keys)
            checkAgain(waitingTokens.takeAll(), .answered)
        }
        if !news.absent.isEmpty { checkAgain(waitingTokens.take(naming: Set(news.absent)), .answered) }
        for control in inbox.takeControls() { onControl(control) }
        inbox.report(sessions: sessions.count)
    }

    private func hear(_ event: BusEvent) {
        switch event {
        case .entries(let entries): hear(entries)
        case .moved(let cursor): moved(cursor)
        case .opened(let state, let user): opened(state, by: user)
        case .typing(let channel, let user): typing(channel, user)
        }
    }

    /// Of an entry's frame, beside its content: as a rule a little less.
    private static let envelopeBytes = 320

    /// Entries of one channel go together, wherever in the batch they stand, so that each socket gets one write for them. An order
    /// between channels is promised to nobody.
    private func hear(_ entries: [Entry]) {
        var parts: [(channel: Channel, items: [FanOut.Item], expiry: Timestamp?)] = []
        var partOfRoster: [Int: Int] = [:]
        for entry in entries {
            guard let roster = fanOut.roster(of: entry.channel) else { continue }
            let item = FanOut.Item(
                seq: entry.seq, author: users.number(of: entry.draft.sender), isUrgent: entry.draft.priority.isUrgent,
                frame: SharedFrame(expecting: entry.draft.content.utf8.count + Self.envelopeBytes) {
                    ServerMessage.entry(entry, into: &$0)
                })
            if let part = partOfRoster[roster] {
                parts[part].items.append(item)
                if let expiry = entry.draft.expiresAt { parts[part].expiry = min(expiry, parts[part].expiry ?? expiry) }
            } else {
                partOfRoster[roster] = parts.count
                parts.append((entry.channel, [item], entry.draft.expiresAt))
            }
        }
        for part in parts {
            noteExpiry(part.expiry, in: part.channel)
            if !fanOut.enqueue(part.channel, part.items) { missed(part.channel) }
        }
    }

    /// A user's cursor moved: their sessions agree on it, and the other members of a conversation see how far they are.
    private func moved(_ cursor: MovedCursor) {
        let channel = cursor.state.channel
        users.visitSessions(of: cursor.user) { key in
            guard let live = sessions[key], let subscription = live.session.following(channel) else { return }
            if !live.session.id.isSameText(as: cursor.session) { push(to: key) { ServerMessage.cursor(cursor.state, into: &$0) } }
            adopt(live, subscription, cursor.state)
        }
        guard cursor.isProgress, channel.kind == .conversation, fanOut.roster(of: channel) != nil else { return }
        tellOthers(than: cursor.user, in: channel, isReceipt: true) {
            ServerMessage.receipt(
                channel, of: cursor.user, delivered: cursor.state.cursor.delivered, read: cursor.state.cursor.read, into: &$0)
        }
    }

    private func opened(_ state: ChannelState, by user: UserID) {
        for member in state.members where member != user {
            users.visitSessions(of: member) { key in
                push(to: key) { ServerMessage.signal(.conversation(state.channel, with: user), into: &$0) }
            }
        }
    }

    private func typing(_ channel: Channel, _ user: UserID) {
        tellOthers(than: user, in: channel, isReceipt: false) { ServerMessage.signal(.typing(channel, by: user), into: &$0) }
    }

    /// Receipts and signals: encoded once, and the first to go when a client does not keep up.
    /// A receipt that was left out is made up for when the client has caught up.
    private func tellOthers(than user: UserID, in channel: Channel, isReceipt: Bool, _ write: (inout [UInt8]) -> Void) {
        guard fanOut.roster(of: channel) != nil else { return }
        let number = users.number(of: user)
        let frame = SharedFrame(write)
        fanOut.visit(channel) { [outlet] subscriber in
            guard subscriber.isGranted, subscriber.user != number else { return }
            guard !outlet.isCongested(subscriber.key) else {
                if isReceipt { subscriber.hasMissedReceipts = true }
                return
            }
            outlet.send(outlet.stage(frame, format: subscriber.format), to: subscriber.key)
        }
    }
}
