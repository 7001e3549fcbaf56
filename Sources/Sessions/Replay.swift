import Logging
import Messaging
import Reactor
import Telemetry

/// Reads entries from the store for sessions that follow from an earlier position, fell behind, or missed events.
final class Replay {
    private let state: LoopState
    private let gateway: StoreGateway
    private let counters: CounterPushes
    private let expiries: ExpiryWatch
    /// Sessions that could not read when they wanted to, or that want to together with many others: they come in turn, by a timer.
    private var stalled: Set<SessionID> = []
    private var isRetryScheduled = false

    init(_ state: LoopState, gateway: StoreGateway, counters: CounterPushes, expiries: ExpiryWatch) {
        self.state = state
        self.gateway = gateway
        self.counters = counters
        self.expiries = expiries
    }

    /// Asks for the next page a subscription is missing; one page at a time.
    func orderPage(_ live: LiveSession, _ subscription: Session.Subscription) {
        guard live.pages < state.limits.pages, !live.isLeaving, !live.isEnding, !state.outbound.isCongested(live.id) else { return }
        guard let start = state.fanOut.update(subscription, { $0.startPage() }), let start else { return }
        live.pages += 1
        gateway.order(
            .page(subscription.channel, after: start, before: nil, limit: state.limits.session.historyPage), for: live, .none,
            .replay(subscription.registration, from: start))
    }

    /// Asks for the pages that are due, as many as may be asked for at once.
    func readOn(_ live: LiveSession) {
        for subscription in live.session.subscriptions where live.pages < state.limits.pages { orderPage(live, subscription) }
    }

    func completePage(_ live: LiveSession, _ registration: UInt32, from start: Seq, _ reply: StoreReply) {
        live.pages -= 1
        guard case .page(let entries, let head, let more) = reply else {
            if let index = live.session.subscription(registered: registration) {
                _ = state.fanOut.update(live.session.subscriptions[index]) { $0.takePage(from: start) }
            }
            return stall(live.id)
        }
        defer { readOn(live) }
        guard let index = live.session.subscription(registered: registration) else { return }
        let subscription = live.session.subscriptions[index]
        guard state.fanOut.update(subscription, { $0.takePage(from: start) }) == true else { return }
        // Read again when the client has read: the page must not wait in memory.
        if state.outbound.isCongested(live.id) { return }
        let now = state.now
        let reader = live.session.identity?.user
        for entry in entries {
            // The rest is read again when the client has taken this: one page of large entries is more than may wait in memory.
            if state.outbound.isCongested(live.id) { return }
            let author = state.table.users.number(of: entry.draft.sender)
            let weight = entry.isHidden(from: reader) ? .none : entry.draft.weight(at: now)
            let isNew = state.fanOut.update(subscription) { $0.admitReplayed(entry.seq, author: author, weight: weight) }
            expiries.note(entry.draft.expiresAt, in: subscription.channel)
            if isNew == true { state.outbound.push(to: live.id) { ServerMessage.entry(entry, for: reader, replay: true, into: &$0) } }
        }
        state.metrics.replayed.add(UInt64(entries.count))
        guard state.fanOut.update(subscription, { $0.finishPage(head: head, more: more) }) == true else { return }
        let position = state.fanOut.subscriber(subscription)?.position ?? .zero
        state.outbound.push(to: live.id) { ServerMessage.signal(.live(subscription.channel, position), into: &$0) }
        counters.changed(subscription.channel)
    }

    // MARK: What was missed

    /// Asks again a little later: what the session must read could not be had now.
    func stall(_ id: SessionID) {
        stalled.insert(id)
        scheduleRetry(after: state.limits.storeRetry)
    }

    /// Asks for the pages of a session whose entries were held, in turn with those of others.
    func readSoon(_ id: SessionID) {
        stalled.insert(id)
        scheduleRetry(after: Self.retryPause)
    }

    private func scheduleRetry(after delay: Duration) {
        guard !isRetryScheduled else { return }
        isRetryScheduled = true
        state.loop.after(delay) { [unowned self] in retryStalled() }
    }

    /// Questions of one round of retries, so that ten thousand sessions that all fell behind leave room for other clients' commands.
    private static let retriedOrders = 512
    private static let retryPause: Duration = .milliseconds(50)

    private func retryStalled() {
        isRetryScheduled = false
        while gateway.waitingCount < Self.retriedOrders, let id = stalled.popFirst() {
            guard let live = state.table[id] else { continue }
            readOn(live)
            guard live.hasMissedEvents else { continue }
            live.hasMissedEvents = false
            for subscription in live.session.subscriptions where state.fanOut.isGranted(subscription) {
                gateway.recount(live, subscription)
            }
        }
        if !stalled.isEmpty { scheduleRetry(after: Self.retryPause) }
    }

    /// Events were dropped because this loop's mailbox was full: every subscription may have a gap.
    func resynchronise() {
        state.metrics.resynchronisations.add()
        state.log.warning("loop missed events and reads them from the store", metadata: ["sessions": "\(state.table.count)"])
        for live in state.table.all {
            for subscription in live.session.subscriptions { _ = state.fanOut.update(subscription) { $0.suspect() } }
            live.hasMissedEvents = true
            stall(live.id)
        }
    }

    /// Entries of a channel could not be queued: its sessions read them from the store.
    func missed(_ channel: Channel) {
        state.metrics.resynchronisations.add()
        var behind: [SessionID] = []
        state.fanOut.visit(channel) { subscriber in
            subscriber.suspect()
            behind.append(subscriber.session)
        }
        stalled.formUnion(behind)
        scheduleRetry(after: state.limits.storeRetry)
    }
}
