@testable import Messaging

/// Commands as the tests write them: with their members, without the names of their types.
extension ClientCommand.Body {
    static func connect(token: String?, subscriptions: [SubscriptionRequest], requires: [String] = []) -> Self {
        .connect(ClientCommand.Connect(proof: token.map { .token($0) }, subscriptions: subscriptions, requires: requires))
    }
    static func refresh(token: String) -> Self { .refresh(ClientCommand.Refresh(proof: .token(token))) }
    static func subscribe(channel: String, _ start: SubscriptionStart = .head) -> Self {
        .subscribe(ClientCommand.Subscribe(request: SubscriptionRequest(channel: channel, start: start)))
    }
    static func unsubscribe(channel: String) -> Self { .unsubscribe(ClientCommand.Unsubscribe(channel: channel)) }
    static func ack(channel: String, seq: Seq) -> Self { .ack(ClientCommand.Ack(channel: channel, seq: seq)) }
    static func edit(channel: String, seq: Seq, key: String, body: String, data: String? = nil) -> Self {
        .edit(ClientCommand.Edit(channel: channel, seq: seq, key: key, body: body, data: data))
    }
    static func delete(channel: String, seq: Seq, key: String) -> Self {
        .delete(ClientCommand.Delete(channel: channel, seq: seq, key: key))
    }
    static func why(channel: String, seq: Seq) -> Self { .why(ClientCommand.Why(channel: channel, seq: seq)) }
    static func leave(channel: String) -> Self { .leave(ClientCommand.Leave(channel: channel)) }
    static func block(user: UserID) -> Self { .block(ClientCommand.Block(user: user)) }
    static func unblock(user: UserID) -> Self { .unblock(ClientCommand.Unblock(user: user)) }
    static var blocks: Self { .blocks(ClientCommand.Blocks()) }
    static func markSeen(channel: String, upTo: Seq) -> Self { .markSeen(ClientCommand.MarkSeen(channel: channel, upTo: upTo)) }
    static func markRead(channel: String, _ selection: ClientCommand.MarkRead.Selection) -> Self {
        .markRead(ClientCommand.MarkRead(channel: channel, selection: selection))
    }
    static func markUnread(channel: String, _ seqs: [Seq]) -> Self {
        .markUnread(ClientCommand.MarkUnread(channel: channel, seqs: seqs))
    }
    static func open(with user: UserID, context: String?) -> Self { .open(ClientCommand.Open(with: user, context: context)) }
    static func history(channel: String, after: Seq?, before: Seq?, limit: Int) -> Self {
        .history(ClientCommand.History(channel: channel, page: .init(after: after, before: before, limit: limit)))
    }
    static func conversations(before: String?, limit: Int) -> Self {
        .conversations(ClientCommand.Conversations(before: before, limit: limit))
    }
    static func typing(channel: String) -> Self { .typing(ClientCommand.Typing(channel: channel)) }
    static func presence(_ presence: Presence?) -> Self { .presence(ClientCommand.SharePresence(presence: presence)) }
    static var activity: Self { .activity(ClientCommand.Activity()) }
    static var ping: Self { .ping(ClientCommand.Ping()) }
}
