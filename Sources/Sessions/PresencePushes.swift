import Bus
import Linux
import Messaging
import Reactor

/// Who is there: tells the bus of this loop's users who share it, and tells the sessions that share who of the others is.
///
/// A session sees the other members of the conversations that it follows, but nobody across a block. Once a second the loop publishes what has
/// changed and a tenth of its users (`PresenceBook.round`), and pushes what it has heard: at most one push a user and second. Nothing is stored.
/// Of its stored properties, half are what it tells the bus, and half what it has heard.
final class PresencePushes {
    private static let beat: Duration = .seconds(1)
    private static let beatsOfRound = Int(PresenceBook.round / 1_000)
    private static let grace: Duration = .milliseconds(PresenceBook.grace)
    /// Bytes of names in one message: the bell takes few.
    private static let newsBytes = 2_400
    /// A digest of this many users needs no parts.
    private static let fewUsers = 50
    /// Users told of in one beat; the others are told of in the next one.
    private static let mostTold = 2_000

    private struct Conversation: Equatable {
        var members: [UserID]
        /// One has blocked the other. Conversations have two members, so it is the same for both.
        var isApart: Bool
    }

    private let state: LoopState
    private let source: UInt64
    private var version: UInt64 = 0
    private var book = PresenceBook()
    /// The sessions that share, and what.
    private var sharing: [SessionID: Presence] = [:]
    /// What the bus was told of this loop's users.
    private var published: [UserID: Presence] = [:]
    /// Users whose sessions have changed, with the time from which they are gone if they are.
    private var touched: [UserID: MonotonicInstant] = [:]
    /// The names that are still to come in this round of digests, in order.
    private var round: ArraySlice<UserID> = []
    /// Users who came since the round began.
    private var fresh: Set<UserID> = []
    private var beats = 0
    private var conversations = Conversations()
    /// Users of whom there may be something to tell; true: also what was told before, because others see them now, or do so no longer.
    private var stale: [UserID: Bool] = [:]
    /// What the sessions were told of users, without those of whom nothing is known.
    private var told: [UserID: ShownPresence] = [:]
    /// Sessions that follow a conversation since the last beat.
    private var newcomers: [(session: SessionID, channel: Channel)] = []
    private var isBeating = false
    private var hasLeft = false

    /// Which conversations that are followed here a user is a member of.
    private struct Conversations {
        private(set) var all: [Channel: Conversation] = [:]
        private var ofUser: [UserID: Set<Channel>] = [:]

        func of(_ user: UserID) -> Set<Channel> { ofUser[user] ?? [] }

        mutating func set(_ conversation: Conversation?, _ channel: Channel) {
            for member in all[channel]?.members ?? [] {
                ofUser[member]?.remove(channel)
                if ofUser[member]?.isEmpty == true { ofUser[member] = nil }
            }
            all[channel] = conversation
            for member in conversation?.members ?? [] { ofUser[member, default: []].insert(channel) }
        }
    }

    init(_ state: LoopState) {
        self.state = state
        source = UInt64.random(in: 1 ... .max)
    }

    private var isOn: Bool { state.limits.session.sharesPresence }
    private var now: Int64 { state.now.milliseconds }

    // MARK: What the sessions do

    /// - Parameter presence: nil: the session does not share any more.
    func share(_ presence: Presence?, _ live: LiveSession, _ origin: CommandOrigin) {
        guard let user = live.session.identity?.user else { return }
        let isNew = sharing[live.id] == nil
        sharing[live.id] = presence
        if presence == nil {
            if !isNew { touched[user] = state.loop.now }
        } else {
            touched[user] = state.loop.now + Self.grace
        }
        let seen = presence == nil ? [] : others(of: live)
        state.outbound.reply(live, origin) { ServerMessage.presence(re: $0, seen, into: &$1) }
        start()
    }

    /// An operator has switched it off for the user: the others see the user go, and the client shares again when it is on again.
    func stop(_ live: LiveSession) {
        guard sharing.removeValue(forKey: live.id) != nil, let user = live.session.identity?.user else { return }
        touched[user] = state.loop.now
        start()
    }

    func ended(_ live: LiveSession) {
        guard sharing.removeValue(forKey: live.id) != nil, let user = live.session.identity?.user else { return }
        touched[user] = state.loop.now + Self.grace
    }

    /// The hub is being stopped, and all sessions were told to go. The other hubs need not wait until they miss this loop.
    func leave() {
        guard !hasLeft else { return }
        hasLeft = true
        guard !published.isEmpty else { return }
        let everybody = PresenceNews.Range(lower: nil, upper: nil)
        state.services.bus.publish(signals: [.presence(PresenceNews(source: source, version: nextVersion(), range: everybody, lines: []))])
    }

    /// The state of a conversation that the session follows, as the store has it.
    /// - Parameter begins: the session follows it from now on.
    func know(_ channelState: ChannelState, of live: LiveSession, begins: Bool) {
        guard isOn, channelState.channel.kind == .conversation else { return }
        let isApart = !channelState.hiddenFrom.isEmpty || channelState.blocksMember
        let conversation = Conversation(members: channelState.members, isApart: isApart)
        if begins, sharing[live.id] != nil { newcomers.append((live.id, channelState.channel)) }
        guard conversations.all[channelState.channel] != conversation else { return start() }
        let isNew = conversations.all[channelState.channel] == nil
        conversations.set(conversation, channelState.channel)
        if !isNew { mark(channelState.members, isForced: true) }
        start()
    }

    private func mark(_ users: some Sequence<UserID>, isForced: Bool = false) {
        for user in users { stale[user] = isForced || stale[user] == true }
    }

    /// Somebody has blocked a member, or does so no longer. Until the store was asked nobody is shown.
    /// - Returns: the sessions that ask.
    func blocksChanged(in channel: Channel) -> [SessionID] {
        guard isOn, var conversation = conversations.all[channel] else { return [] }
        conversation.isApart = true
        conversations.set(conversation, channel)
        mark(conversation.members, isForced: true)
        start()
        var followers: [SessionID] = []
        state.fanOut.visit(channel) { if $0.isGranted { followers.append($0.session) } }
        return followers
    }

    func left(_ channel: Channel, _ user: UserID) {
        guard var conversation = conversations.all[channel] else { return }
        conversation.members.removeAll { $0 == user }
        conversations.set(conversation, channel)
    }

    func hear(_ news: PresenceNews) {
        guard isOn else { return }
        mark(book.hear(news, now: now))
        start()
    }

    /// Those whom a session sees, without those of whom nothing is known.
    private func others(of live: LiveSession) -> [(user: UserID, shown: ShownPresence)] {
        guard let own = live.session.identity?.user else { return [] }
        var users: Set<UserID> = []
        for subscription in live.session.subscriptions where state.fanOut.isGranted(subscription) {
            guard let conversation = conversations.all[subscription.channel], !conversation.isApart else { continue }
            users.formUnion(conversation.members)
        }
        users.remove(own)
        return users.sorted().map { ($0, book.shown($0)) }.filter { $0.1 != .offline(lastSeen: nil) }
    }

    // MARK: Beats

    private var isIdle: Bool { sharing.isEmpty && touched.isEmpty && published.isEmpty && book.isEmpty && stale.isEmpty }

    private func start() {
        guard !isBeating else { return }
        isBeating = true
        state.loop.after(Self.beat) { [weak self] in
            guard let self else { return }
            isBeating = false
            beatOnce()
            if !isIdle { start() }
        }
    }

    func beatOnce() {
        publish()
        mark(book.dropSilent(now: now))
        tell()
        if told.count > 3 * PresenceBook.mostRemembered { told = told.filter { book.shown($0.key) == $0.value } }
        beats += 1
    }

    /// What has changed of this loop's users, and a part of the digest.
    private func publish() {
        guard !hasLeft else { return }
        var changed: [PresenceNews.Line] = []
        for (user, goneAt) in touched {
            let shares = state.table.users.sessions(of: user).compactMap { sharing[$0] }
            if shares.isEmpty, goneAt > state.loop.now { continue }
            touched[user] = nil
            // Only a user who is connected can have stopped sharing.
            let none: Presence = state.table.users.count(of: user) > 0 ? .hidden : .gone
            let presence = shares.contains(.online) ? .online : shares.first ?? none
            guard published[user] ?? .gone != presence else { continue }
            if presence.isHere, published[user] == nil { fresh.insert(user) }
            published[user] = presence.isHere ? presence : nil
            changed.append(PresenceNews.Line(user, presence))
        }
        var news = parts(of: changed).map { PresenceNews(source: source, version: nextVersion(), lines: Array($0)) }
        news += digest()
        if !news.isEmpty { state.services.bus.publish(signals: news.map { .presence($0) }) }
    }

    private func digest() -> [PresenceNews] {
        let isFirst = beats % Self.beatsOfRound == 0
        if isFirst {
            round = published.keys.sorted()[...]
            fresh.removeAll()
        }
        guard isFirst || !round.isEmpty, !published.isEmpty || !round.isEmpty else { return [] }
        let beatsLeft = Self.beatsOfRound - beats % Self.beatsOfRound
        let count = max(min(Self.fewUsers, round.count), (round.count + beatsLeft - 1) / beatsLeft)
        let due = round.prefix(count)
        round = round.dropFirst(count)
        let after = round.first
        var lower = isFirst ? nil : due.first
        let whole = PresenceNews.Range(lower: lower, upper: after)
        let users = (Array(due) + fresh.filter(whole.contains)).sorted()
        let parts = parts(of: users.compactMap { user in published[user].map { PresenceNews.Line(user, $0) } })
        guard !parts.isEmpty else { return [PresenceNews(source: source, version: nextVersion(), range: whole, lines: [])] }
        var news: [PresenceNews] = []
        for (index, part) in parts.enumerated() {
            let upper = index + 1 < parts.count ? parts[index + 1].first?.user : after
            news.append(
                PresenceNews(source: source, version: nextVersion(), range: .init(lower: lower, upper: upper), lines: Array(part)))
            lower = upper
        }
        return news
    }

    private func nextVersion() -> UInt64 {
        version += 1
        return version
    }

    private func parts(of lines: [PresenceNews.Line]) -> [ArraySlice<PresenceNews.Line>] {
        var parts: [ArraySlice<PresenceNews.Line>] = []
        var start = 0
        var bytes = 0
        for index in lines.indices {
            let size = lines[index].user.name.utf8.count + 3
            if bytes + size > Self.newsBytes, index > start {
                parts.append(lines[start..<index])
                (start, bytes) = (index, 0)
            }
            bytes += size
        }
        if start < lines.count { parts.append(lines[start...]) }
        return parts
    }

    // MARK: Telling

    private func tell() {
        for (id, channel) in newcomers { greet(id, channel) }
        newcomers.removeAll()
        for (user, isForced) in stale.prefix(Self.mostTold) {
            stale[user] = nil
            tell(of: user, isForced: isForced)
        }
    }

    /// A session follows a conversation: who of its members is there.
    private func greet(_ id: SessionID, _ channel: Channel) {
        guard sharing[id] != nil, let live = state.table[id], let own = live.session.identity?.user, live.session.following(channel) != nil,
            let conversation = conversations.all[channel], !conversation.isApart
        else { return }
        for member in conversation.members where member != own {
            let shown = book.shown(member)
            guard shown != .offline(lastSeen: nil) else { continue }
            state.outbound.push(to: id) { ServerMessage.signal(.presence(member, shown), into: &$0) }
        }
    }

    private func tell(of user: UserID, isForced: Bool) {
        let shown = book.shown(user)
        guard (told[user] ?? .offline(lastSeen: nil)) != shown || isForced && told[user] != nil else { return }
        told[user] = shown == .offline(lastSeen: nil) ? nil : shown
        var isSeenBy: [SessionID: Bool] = [:]
        let number = state.table.users.number(of: user)
        for channel in conversations.of(user) {
            guard state.fanOut.roster(of: channel) != nil, let conversation = conversations.all[channel] else {
                conversations.set(nil, channel)
                continue
            }
            state.fanOut.visit(channel) { subscriber in
                guard subscriber.isGranted, subscriber.user != number else { return }
                isSeenBy[subscriber.session] = isSeenBy[subscriber.session] == true || !conversation.isApart
            }
        }
        guard !isSeenBy.isEmpty else { return }
        let frame = SharedFrame { ServerMessage.signal(.presence(user, shown), into: &$0) }
        // A block has come. Later those whom it parts are told nothing: the push itself would tell that something has changed.
        let hidden = SharedFrame { ServerMessage.signal(.presence(user, .offline(lastSeen: nil)), into: &$0) }
        for (session, isSeen) in isSeenBy where (isSeen || isForced) && sharing[session] != nil && !state.outbound.isCongested(session) {
            state.outbound.send(isSeen ? frame : hidden, to: session)
        }
    }
}
