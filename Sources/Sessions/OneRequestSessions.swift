import Linux
package import Messaging

// Sessions for one request: commands or a poll that came to this hub with a token, while the client's session is another hub's or has ended.
//
// Such a session connects as every other does, so rights, limits and paces hold in it. It ends with the answer.
extension SessionLoop {
    /// The hub's name among the hubs on its database.
    package var node: String { state.services.node }

    /// The session ends with the request that opened it: no later one may name it, and commands that are about a session that goes on are
    /// refused.
    /// - Parameter isUnheard: only replies to commands are wanted, neither pushes nor the reply to `connect`.
    package func limitToOneRequest(_ id: SessionID, isUnheard: Bool) {
        state.table[id]?.isForOneRequest = true
        state.table[id]?.isUnheard = isUnheard
    }

    /// Whether the first line of a message is a `connect` with an id: without its reply nobody could name the session it opens.
    package func opensSession(_ text: Span<UInt8>) -> Bool {
        var isFirst = true
        var opens = false
        ClientCommand.parse(text, limits: state.limits.commands) { line in
            defer { isFirst = false }
            guard isFirst, case .command(let command) = line, case .connect = command.body else { return }
            opens = command.id != nil
        }
        return opens
    }

    /// The channels in which the commands need a position, as `connect` takes them. The newest entry that they name counts as received, as
    /// `since` of a client that comes back does.
    package func channels(namedBy text: Span<UInt8>, epoch: Epoch?) -> [SubscriptionRequest] {
        var newest: [String: Seq] = [:]
        var (typing, all): (Set<String>, Set<String>) = ([], [])
        func note(_ channel: String, _ seq: Seq) { newest[channel] = max(seq, newest[channel] ?? .zero) }
        ClientCommand.parse(text, limits: state.limits.commands) { line in
            guard case .success(let command) = line.result(in: text) else { return }
            switch command.body {
            case .ack(let ack): note(ack.channel, ack.seq)
            case .markSeen(let mark): note(mark.channel, mark.upTo)
            case .markUnread(let mark): note(mark.channel, mark.seqs.last ?? .zero)
            case .markRead(let mark):
                switch mark.selection {
                case .upTo(let seq): note(mark.channel, seq)
                case .set(let seqs): note(mark.channel, seqs.last ?? .zero)
                case .all: all.insert(mark.channel)
                }
            case .typing(let command): typing.insert(command.channel)
            case .connect, .refresh, .subscribe, .unsubscribe, .open, .send, .edit, .delete, .leave, .block, .unblock, .blocks, .history,
                .why,
                .conversations, .activity, .presence, .ping:
                break
            }
        }
        // `all` is what was sent, and nobody here knows how much that was: the head of the channel must not stand for it.
        let followed = typing.subtracting(newest.keys).subtracting(all).sorted()
        return newest.sorted { $0.key < $1.key }.map { SubscriptionRequest(channel: $0.key, start: .since($0.value), epoch: epoch) }
            + followed.map { SubscriptionRequest(channel: $0) }
    }

    /// Why a session for one request refuses what another one would do; nil: it does it.
    func refusal(of action: Session.Action, _ live: LiveSession) -> Refusal? {
        guard live.isForOneRequest else { return nil }
        switch action {
        case .refuse(let refusal) where refusal.code == .notSubscribed: return Self.sessionElsewhere
        case .refresh, .subscribe, .restate, .unsubscribe, .sharePresence: return Self.sessionElsewhere
        case .refuse, .connect, .store, .typing, .done, .tellTime: return nil
        }
    }

    private static let sessionElsewhere: Refusal = {
        let reason = "this hub does not have the session: open another one with the channels that it is to follow"
        return Refusal(.sessionElsewhere, reason)
    }()

    // MARK: Users with many sessions

    /// Whether the user may not have another session. One that was left longest, without a stream, a poll or a request, makes room.
    func hasTooManySessions(_ user: UserID) -> Bool {
        let most = state.limits.sessionsPerUser
        guard most > 0, state.table.users.count(of: user) >= most else { return false }
        var oldest: (id: SessionID, since: MonotonicInstant)?
        for id in state.table.users.sessions(of: user) {
            guard let live = state.table[id], live.session.phase == .open, live.inFlight == 0, !live.isEnding,
                let since = state.table.resumable[id]?.detachedSince, oldest.map({ since < $0.since }) ?? true
            else { continue }
            oldest = (id, since)
        }
        guard let oldest else { return true }
        close(oldest.id)
        return false
    }

    func refuseSession(_ live: LiveSession, _ origin: CommandOrigin) {
        let most = state.limits.sessionsPerUser
        state.refuse(live, origin, .limitExceeded, "this user has \(most) sessions, which is the most; end another one first", isLoud: true)
        state.end(live, .connectionLimit)
    }
}
