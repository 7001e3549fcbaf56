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
        case .command(let purpose): completeCommand(live, id, purpose, reply)
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

    private func completeCommand(_ live: LiveSession, _ id: UInt64?, _ purpose: Session.Purpose, _ reply: StoreReply) {
        let answer = push(to: live.key) { live.session.answer(reply, to: purpose, re: id, limits: limits.session, into: &$0) }
        switch answer {
        case .told: break
        case .refuse(let refusal): refuse(live, id, refusal)
        case .store(let request, let purpose): order(request, live, id, .command(purpose))
        }
    }

    private func fail(_ live: LiveSession, _ id: UInt64?, _ reply: StoreReply) {
        refuse(live, id, Refusal(reply, limits: limits.session))
    }

    private func refuse(_ live: LiveSession, _ id: UInt64?, _ refusal: Refusal) {
        if let fault = refusal.fault { log.error("an answer of the store cannot be used", metadata: ["reason": "\(fault)"]) }
        refuse(live, id, refusal.code, refusal.reason)
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

extension EntryDraft.Priority {
    package var isUrgent: Bool { self == .high || self == .critical }
}
