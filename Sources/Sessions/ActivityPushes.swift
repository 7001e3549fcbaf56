import Messaging
import Reactor
import Telemetry

/// Tells users about their conversations that a session does not follow: a new entry, or a mark on another device. So a list of any length is
/// live, and no channel of it needs to be followed.
///
/// The counters of an entry are asked from the store, coalesced: at most one question per session, conversation and pause, however many
/// entries come. Like a signal, an activity is not told to a client that does not keep up.
final class ActivityPushes {
    /// How long the questions of one session about one conversation are collected.
    static let pause: Duration = .milliseconds(200)
    /// Questions after one pause. Further ones wait for the next, so that other clients' commands get through.
    private static let questions = 256
    /// Questions that may wait. A further activity is not told, like a signal, and counted.
    private static let mostWaiting = 16_384

    private struct Question: Hashable {
        let session: SessionID
        let channel: Channel
    }

    private let state: LoopState
    private let gateway: StoreGateway
    private var waiting: [Question] = []
    private var known: Set<Question> = []
    private var isScheduled = false

    init(_ state: LoopState, gateway: StoreGateway) {
        self.state = state
        self.gateway = gateway
    }

    /// A conversation of these users has a new entry.
    func entryCame(in channel: Channel, of members: [UserID]) {
        for member in members {
            for id in state.table.users.sessions(of: member) where state.table[id]?.session.following(channel) == nil {
                note(Question(session: id, channel: channel))
            }
        }
    }

    /// A session that does not follow the channel learns what another one of its user did there.
    func moved(_ channelState: ChannelState, to live: LiveSession) {
        if live.session.phase == .open { return push(channelState, to: live) }
        // The snapshot for `connect` may be older.
        note(Question(session: live.id, channel: channelState.channel))
    }

    /// Another hub moved the cursor of the session's user in a conversation that it does not follow.
    func movedElsewhere(_ channel: Channel, to live: LiveSession) { note(Question(session: live.id, channel: channel)) }

    /// The store has answered a question.
    func complete(_ channel: Channel, _ reply: StoreReply, to live: LiveSession) {
        switch reply {
        case .state(let channelState): push(channelState, to: live)
        case .failed(.unavailable): note(Question(session: live.id, channel: channel))
        // The user has left the conversation.
        default: break
        }
    }

    private func push(_ channelState: ChannelState, to live: LiveSession) {
        guard live.session.following(channelState.channel) == nil, !state.outbound.isCongested(live.id) else { return }
        state.outbound.push(to: live.id) { ServerMessage.activity(channelState, into: &$0) }
    }

    private func note(_ question: Question) {
        guard !known.contains(question) else { return }
        guard waiting.count < Self.mostWaiting else { return state.metrics.activityDropped.add() }
        known.insert(question)
        waiting.append(question)
        schedule()
    }

    private func schedule() {
        guard !isScheduled, !waiting.isEmpty else { return }
        isScheduled = true
        state.loop.after(Self.pause) { [unowned self] in
            isScheduled = false
            ask()
            schedule()
        }
    }

    private func ask() {
        let due = waiting.prefix(Self.questions)
        waiting.removeFirst(due.count)
        for question in due {
            known.remove(question)
            guard let live = state.table[question.session], !live.isEnding, let user = live.session.identity?.user else { continue }
            // The reply to `connect` comes first.
            guard live.session.phase == .open else {
                note(question)
                continue
            }
            guard live.session.following(question.channel) == nil, !state.outbound.isCongested(live.id) else { continue }
            gateway.order(
                .state(user, question.channel, entitled: false), for: live, .none, .activity(question.channel))
        }
    }
}
