import Messaging
import StoreAPI
import Telemetry

/// The commands that read pages of history, and wait until a page may be read for their user.
///
/// A page may take a megabyte in memory. So few are under way for one user, none for a session whose client does not read, and none while the
/// user's clients have left too much unread. Invariant: a command that waits counts as unanswered in its session.
final class PageOrders {
    private struct Waiting {
        let session: SessionID
        let origin: CommandOrigin
        let request: StoreRequest
        let purpose: Session.Purpose
    }

    private struct UserPages {
        var underWay = 0
        var waiting: [Waiting] = []
    }

    /// Pages of one user that are being read, or wait to be sent, at once.
    static let mostOfUser = 8
    /// Of one session, so that a page, however large, fits between the high watermark and the backlog.
    static let mostOfSession = 1
    /// Bytes of replies in one HTTP response beyond which no further page is read for it.
    static let exchangeBytes = 1 << 20

    private let state: LoopState
    private let gateway: StoreGateway
    private var users: [UserID: UserPages] = [:]
    /// Sessions with pages under way. A session may end before them.
    private var sessions: [SessionID: (user: UserID, underWay: Int)] = [:]
    /// A command was refused while it waited. The loop sets it once: `SessionLoop.settled`.
    var settled: (LiveSession) -> Void = { _ in }

    init(_ state: LoopState, gateway: StoreGateway) {
        self.state = state
        self.gateway = gateway
    }

    var waitingCount: Int { users.values.reduce(0) { $0 + $1.waiting.count } }

    /// Orders the page, now or when it may be read.
    func order(_ request: StoreRequest, for live: LiveSession, _ origin: CommandOrigin, _ purpose: Session.Purpose) {
        guard let user = live.session.identity?.user else { return }
        state.exchanges.hold(origin.exchange)
        live.inFlight += 1
        users[user, default: UserPages()].waiting.append(
            Waiting(session: live.id, origin: origin, request: request, purpose: purpose))
        goOn(user)
    }

    /// A page of the session was sent, or could not be read. The session may have ended since.
    func completed(_ id: SessionID) {
        guard let (user, underWay) = sessions.removeValue(forKey: id) else { return }
        if underWay > 1 { sessions[id] = (user, underWay - 1) }
        users[user]?.underWay -= 1
        goOn(user)
    }

    /// The session's client reads again, or the session ends.
    func goOn(_ live: LiveSession) {
        guard !users.isEmpty, let user = live.session.identity?.user else { return }
        goOn(user)
    }

    /// Orders the pages that may be read now. Those of ended sessions are forgotten.
    private func goOn(_ user: UserID) {
        guard var pages = users[user] else { return }
        var (refused, left): ([Waiting], [Waiting]) = ([], [])
        let isUnread = !pages.waiting.isEmpty && unreadBytes(of: user) > state.limits.unreadBytes
        for waiting in pages.waiting {
            guard let live = state.table[waiting.session] else {
                state.exchanges.release(waiting.origin.exchange)
                continue
            }
            if isUnread || live.isLeaving || isFull(waiting.origin) {
                refused.append(waiting)
            } else if pages.underWay < Self.mostOfUser, mayRead(live, waiting.origin) {
                pages.underWay += 1
                sessions[waiting.session] = (user, (sessions[waiting.session]?.underWay ?? 0) + 1)
                live.inFlight -= 1
                gateway.order(waiting.request, for: live, waiting.origin, .command(waiting.purpose))
                state.exchanges.release(waiting.origin.exchange)
            } else {
                left.append(waiting)
            }
        }
        pages.waiting = left
        users[user] = pages.underWay > 0 || !left.isEmpty ? pages : nil
        for waiting in refused { refuse(waiting) }
    }

    private func refuse(_ waiting: Waiting) {
        if let live = state.table[waiting.session] {
            state.metrics.rateLimited.add("unread")
            state.refuse(live, waiting.origin, .rateLimited, "too many replies have not been read; read them first")
            settled(live)
        }
        state.exchanges.release(waiting.origin.exchange)
    }

    private func mayRead(_ live: LiveSession, _ origin: CommandOrigin) -> Bool {
        (sessions[live.id]?.underWay ?? 0) < Self.mostOfSession
            && (origin.exchange != nil || !state.outbound.isCongested(live.id))
    }

    /// Replies to an HTTP request wait until all are there.
    private func isFull(_ origin: CommandOrigin) -> Bool { state.exchanges.bytes(of: origin.exchange) > Self.exchangeBytes }

    private func unreadBytes(of user: UserID) -> Int {
        state.table.users.sessions(of: user).reduce(0) { $0 + state.outbound.unsentBytes($1) }
    }
}
