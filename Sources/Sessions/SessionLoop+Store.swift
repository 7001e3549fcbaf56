import Logging
package import Messaging
import Telemetry

// What happens when the store answers an order.
extension SessionLoop {
    package func complete(_ token: UInt64, _ reply: StoreReply) {
        guard let pending = pending.remove(token) else { return }
        guard let live = sessions[pending.key] else { return }
        settled(live)
        defer { closeLeaving(live) }
        let id = pending.id
        switch pending.step {
        case .connect(let requests): completeConnect(live, id, reply, requests)
        case .subscribe(let registration, let since):
            guard case .state(let state) = reply else {
                unregister(live, registration)
                return fail(live, id, reply)
            }
            subscribed(live, id, registration, state, since)
        case .restate(let registration, let rewind):
            guard case .state(let state) = reply else { return fail(live, id, reply) }
            restated(live, id, registration, state, rewind)
        case .replay(let registration, let start): completePage(live, registration, from: start, reply)
        case .recount(let registration): completeRecount(live, registration, reply)
        case .openThenSend(let draft):
            guard case .opened(let state, _) = reply, let user = live.session.identity?.user else {
                return fail(live, id, reply)
            }
            order(.append(draft.entry(from: user, in: state.channel)), live, id, .command(.send, state.channel))
        case .command(let purpose, let channel): completeCommand(live, id, purpose, channel, reply)
        }
    }

    /// One of the session's commands and pages is done with.
    func settled(_ live: LiveSession) {
        live.inFlight -= 1
        guard live.isReadingPaused, !live.isLeaving, live.inFlight <= limits.inFlight / 2 else { return }
        live.isReadingPaused = false
        outlet.resumeReading(live.key)
    }

    private func completeConnect(_ live: LiveSession, _ id: UInt64?, _ reply: StoreReply, _ requests: [SubscriptionRequest]) {
        guard case .snapshot(let states, let more) = reply else {
            abandonConnect(live)
            return fail(live, id, reply)
        }
        connected(live, id, states, more: more, requests)
    }

    /// It may be tried again; until then nobody is there to hear anything.
    private func abandonConnect(_ live: LiveSession) {
        for subscription in live.session.abandonConnect() { fanOut.leave(subscription) }
        if let user = live.session.identity?.user { users.remove(live.key, of: user) }
        live.user = Users.nobody
    }

    private func completeRecount(_ live: LiveSession, _ registration: UInt32, _ reply: StoreReply) {
        if reply == .failed(.unavailable) {
            live.hasMissedEvents = true
            return stall(live.key)
        }
        guard case .state(let state) = reply, let index = live.session.subscription(registered: registration) else { return }
        let subscription = live.session.subscriptions[index]
        pushLines(to: live.key) { tellReceipts(live, state, in: &$0) }
        let known = fanOut.subscriber(subscription)?.cursorVersion
        adopt(live, subscription, state)
        // Another session moved it, and this one was not told.
        if let known, let version = fanOut.subscriber(subscription)?.cursorVersion, version > known {
            push(to: live.key) { ServerMessage.cursor(state, into: &$0) }
        }
    }

    private func completePage(_ live: LiveSession, _ registration: UInt32, from start: Seq, _ reply: StoreReply) {
        live.pages -= 1
        guard case .page(let entries, let head, let more) = reply else {
            if let index = live.session.subscription(registered: registration) {
                _ = fanOut.update(live.session.subscriptions[index]) { $0.takePage(from: start) }
            }
            return stall(live.key)
        }
        defer { readOn(live) }
        guard let index = live.session.subscription(registered: registration) else { return }
        let subscription = live.session.subscriptions[index]
        guard fanOut.update(subscription, { $0.takePage(from: start) }) == true else { return }
        // Read again when the client has read: it must not wait in memory.
        if outlet.isCongested(live.key) { return }
        for entry in entries {
            // The rest is read again when the client has taken this: one page of large entries is more than may wait.
            if outlet.isCongested(live.key) { return }
            let author = users.number(of: entry.draft.sender)
            let isNew = fanOut.update(subscription) {
                $0.admitReplayed(entry.seq, author: author, isUrgent: entry.draft.priority.isUrgent)
            }
            noteExpiry(entry.draft.expiresAt, in: subscription.channel)
            if isNew == true { push(to: live.key) { ServerMessage.entry(entry, replay: true, into: &$0) } }
        }
        metrics.replayed.add(UInt64(entries.count))
        guard let isLive = fanOut.update(subscription, { $0.finishPage(head: head, more: more) }) else { return }
        if isLive {
            tellLive(live, subscription)
            counterTeller.changed(subscription.channel, self)
        }
    }

    private func completeCommand(_ live: LiveSession, _ id: UInt64?, _ purpose: Session.Purpose, _ channel: Channel?, _ reply: StoreReply) {
        switch (purpose, reply) {
        case (.ack, .moved(let moved, _)):
            self.reply(live, id) {
                ServerMessage.acknowledged(re: $0, moved.state.channel, delivered: moved.state.cursor.delivered, into: &$1)
            }
        case (.mark, .moved(let moved, _)):
            self.reply(live, id) { ServerMessage.marked(re: $0, moved.state, into: &$1) }
        case (.open, .opened(let state, _)):
            let isFollowed = live.session.subscription(to: state.channel) != nil
            self.reply(live, id) { ServerMessage.channelState(re: $0, ChannelPlace(state, isSubscribed: isFollowed), into: &$1) }
        case (.send, .stored(let stored)):
            guard let first = stored.first, let channel else { return fail(live, id, reply) }
            self.reply(live, id) { ServerMessage.sent(re: $0, in: channel, first, into: &$1) }
        case (.history, .page(let entries, let head, let more)):
            guard let channel else { return fail(live, id, reply) }
            self.reply(live, id) { ServerMessage.history(re: $0, channel, entries, head: head, more: more, into: &$1) }
        case (.conversations, .snapshot(let states, let more)):
            let followed = Set(live.session.subscriptions.map(\.channel))
            self.reply(live, id) {
                ServerMessage.conversations(
                    re: $0, states.map { ChannelPlace($0, isSubscribed: followed.contains($0.channel)) }, more: more, into: &$1)
            }
        case (.entitlement(let after, let before, let limit), .state(let state)):
            order(.page(state.channel, after: after, before: before, limit: limit), live, id, .command(.history, state.channel))
        case (.ack, _), (.mark, _), (.open, _), (.send, _), (.history, _), (.conversations, _), (.entitlement, _):
            fail(live, id, reply)
        }
    }

    private func fail(_ live: LiveSession, _ id: UInt64?, _ reply: StoreReply) {
        guard case .failed(let failure) = reply else {
            log.error("the store gave an answer of another kind")
            return refuse(live, id, .internal, "the hub made a mistake; it is in its log")
        }
        switch failure {
        case .forbidden: refuse(live, id, .forbidden, "not a member of this channel, or not entitled to it")
        case .unavailable, .tooSlow: refuse(live, id, .unavailable, "the store is away; try again: that is safe, a send with the same key")
        case .noSuchEntry: refuse(live, id, .badRequest, "replyTo: the conversation has no such entry")
        case .tooManyConversations:
            let most = limits.session.conversationsOfPair
            refuse(live, id, .limitExceeded, "with, to: you have \(most) conversations with this user, which is the most; use one of them")
        case .tooScattered:
            refuse(live, id, .limitExceeded, "readAlso would have more than \(Cursor.mostRanges) ranges; use upTo")
        case .refused(let why):
            log.error("the store refused data", metadata: ["reason": "\(why)"])
            refuse(live, id, .internal, "the store refused the data; it is in the hub's log")
        }
    }

    /// Takes over counters computed by the store; asks again when newer entries were counted since.
    func adopt(_ live: LiveSession, _ subscription: Session.Subscription, _ state: ChannelState) {
        noteExpiry(state.nextExpiry, in: state.channel)
        guard let (isAdopted, isStale) = fanOut.update(subscription, { ($0.adopt(state), $0.isCountersStale) }) else { return }
        if !isAdopted { return recount(live, subscription) }
        // An ack alone changes no counters.
        if isStale { counterTeller.changed(state.channel, self) }
    }
}

extension StoreRequest {
    /// The channel a request is about, where there is one.
    package var channel: Channel? {
        switch self {
        case .append(let draft): draft.channel
        case .state(_, let channel, _), .page(let channel, _, _, _), .move(_, let channel, _, _): channel
        case .ingest, .open, .snapshot, .conversations: nil
        }
    }
}

extension EntryDraft.Priority {
    package var isUrgent: Bool { self == .high || self == .critical }
}
