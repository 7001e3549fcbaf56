import HangGuard
import JSON
import Messaging
import Testing

@Suite("Messages of the server", .guarded)
struct ServerMessageTests {
    static let alice = UserID("alice")!
    static let bob = UserID("b\"o\"b")!
    static let conversation = Channel(storedName: "conversation:0b9E4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa")!
    static let moment = Timestamp(milliseconds: 1_795_473_900_123)

    static let draft = EntryDraft(
        channel: .broadcast("institution:é\"x"), source: "s", id: "i\\d", kind: .system, eventType: "system.news", priority: .critical,
        form: .hint, sender: bob, content: #""title":"T","data":{"a":[1]}"#, group: "g", collapse: "c",
        expiresAt: Timestamp(milliseconds: 0), receiptRequired: true, trace: "00-ab-01")
    static let bare = EntryDraft(
        channel: .inbox(alice), source: "hub", id: "1", kind: .notification, eventType: "t", content: "")

    static let state = ChannelState(
        channel: conversation, head: Seq(9), cursor: Cursor(delivered: Seq(8), seen: Seq(7), read: Seq(2), readAlso: [4...4, 6...7]),
        counters: Counters(unread: 3, unseen: 2, urgent: 1), cursorVersion: 5, members: [alice, bob])

    static let cases: [(String, @Sendable (inout [UInt8]) -> Void)] = [
        (
            #"{"type":"entry","channel":"broadcast:institution:é\"x","seq":7,"id":"i\\d","kind":"system","event":"system.news","priority":"critical","form":"hint","sender":"b\"o\"b","title":"T","data":{"a":[1]},"group":"g","collapse":"c","createdAt":"2026-11-23T22:45:00.123Z","expiresAt":"1970-01-01T00:00:00.000Z","receipt":"required","trace":"00-ab-01","replay":true}"#,
            { ServerMessage.entry(Entry(seq: Seq(7), createdAt: moment, draft: draft), replay: true, into: &$0) }
        ),
        (
            #"{"type":"entry","channel":"inbox","seq":1,"id":"1","kind":"notification","event":"t","priority":"normal","form":"full","createdAt":"2026-11-23T22:45:00.123Z"}"#,
            { ServerMessage.entry(Entry(seq: Seq(1), createdAt: moment, draft: bare), into: &$0) }
        ),
        (
            #"{"type":"entry","channel":"inbox","seq":8,"id":"hidden-8","kind":"hidden","event":"hidden","priority":"normal","form":"full","createdAt":"2026-11-23T22:45:00.123Z","replay":true}"#,
            {
                let entry = Entry(seq: Seq(8), createdAt: moment, draft: bare, hiddenFrom: [alice])
                ServerMessage.entry(entry, for: alice, replay: true, into: &$0)
            }
        ),
        (
            #"{"type":"entry","channel":"inbox","seq":8,"id":"1","kind":"notification","event":"t","priority":"normal","form":"full","createdAt":"2026-11-23T22:45:00.123Z"}"#,
            {
                let entry = Entry(seq: Seq(8), createdAt: moment, draft: bare, hiddenFrom: [alice])
                ServerMessage.entry(entry, for: bob, into: &$0)
            }
        ),
        (
            #"{"type":"cursor","channel":"conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa","delivered":8,"seen":7,"read":2,"readAlso":[[4,4],[6,7]],"version":14}"#,
            { ServerMessage.cursor(state, into: &$0) }
        ),
        (
            #"{"type":"receipt","channel":"conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa","user":"alice","delivered":8,"read":2}"#,
            { ServerMessage.receipt(conversation, of: alice, delivered: Seq(8), read: Seq(2), into: &$0) }
        ),
        (
            #"{"type":"counters","version":3,"channels":[{"channel":"inbox","unread":1,"unseen":0,"urgent":0,"version":2},{"channel":"broadcast:system","unread":0,"unseen":0,"urgent":0,"version":0}],"totals":{"unread":4294967295,"unseen":1,"urgent":0}}"#,
            {
                ServerMessage.counters(
                    version: 3,
                    [
                        .init(channel: .inbox(alice), counters: Counters(unread: 1), version: 2),
                        .init(channel: .broadcast("system"), counters: Counters(), version: 0),
                    ], totals: Counters(unread: .max, unseen: 1), into: &$0)
            }
        ),
        (#"{"type":"signal","signal":"live","channel":"inbox","seq":0}"#, { ServerMessage.signal(.live(.inbox(alice), .zero), into: &$0) }),
        (
            #"{"type":"signal","signal":"typing","channel":"broadcast:system","user":"b\"o\"b"}"#,
            { ServerMessage.signal(.typing(.broadcast("system"), by: bob), into: &$0) }
        ),
        (
            #"{"type":"signal","signal":"conversation","channel":"conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa","user":"alice"}"#,
            { ServerMessage.signal(.conversation(conversation, with: alice), into: &$0) }
        ),
        (
            #"{"type":"activity","channel":"conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa","head":9,"unread":3,"unseen":2,"urgent":1,"version":14}"#,
            { ServerMessage.activity(state, into: &$0) }
        ),
        (
            #"{"type":"signal","signal":"unsubscribed","channel":"broadcast:system"}"#,
            { ServerMessage.signal(.unsubscribed(.broadcast("system")), into: &$0) }
        ),
        (
            #"{"re":1,"ok":{"session":"s","user":"alice","time":"1970-01-01T00:00:00.000Z","tokenExpiresAt":"1970-01-01T00:00:00.000Z","tokenTtlMs":0,"pingIntervalMs":1,"limits":{"messageBytes":1,"bodyBytes":2,"subscriptions":3,"inFlight":4,"setSize":5,"historyPage":6},"features":[],"totals":{"unread":0,"unseen":0,"urgent":0},"channels":[],"refused":[{"channel":"no\"thing","code":"unknown_channel"},{"channel":"inbox","code":"position_unknown"}]}}"#,
            {
                let limits = Welcome.Limits(messageBytes: 1, bodyBytes: 2, subscriptions: 3, inFlight: 4, setSize: 5, historyPage: 6)
                let zero = Timestamp(milliseconds: 0)
                let welcome = Welcome(
                    session: "s", user: alice, time: zero, tokenExpiresAt: zero,
                    terms: Welcome.Terms(pingIntervalMs: 1, limits: limits, features: []), channels: [],
                    refused: [.init(channel: "no\"thing", code: .unknownChannel), .init(channel: "inbox", code: .positionUnknown)])
                ServerMessage.connected(re: 1, welcome, into: &$0)
            }
        ),
        (
            #"{"type":"bye","code":4200,"reason":"draining","reconnect":true,"afterMs":100,"spreadMs":5000}"#,
            { ServerMessage.bye(.draining, afterMs: 100, spreadMs: 5000, into: &$0) }
        ),
        (
            #"{"type":"bye","code":4009,"reason":"blocked","reconnect":false,"afterMs":0,"spreadMs":0}"#,
            { ServerMessage.bye(.blocked, into: &$0) }
        ),
        (
            #"{"re":1,"ok":{"session":"s1","user":"alice","time":"2026-11-23T22:45:00.123Z","tokenExpiresAt":"2026-11-23T22:46:00.123Z","tokenTtlMs":60000,"pingIntervalMs":25000,"limits":{"messageBytes":65536,"bodyBytes":16384,"subscriptions":256,"inFlight":32,"setSize":1000,"historyPage":100},"features":["typing"],"totals":{"unread":3,"unseen":2,"urgent":1},"channels":[{"channel":"conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa","kind":"conversation","head":9,"delivered":8,"seen":7,"read":2,"readAlso":[[4,4],[6,7]],"unread":3,"unseen":2,"urgent":1,"version":14,"members":["alice","b\"o\"b"],"subscribed":true},{"channel":"inbox","kind":"inbox","head":0,"delivered":0,"seen":0,"read":0,"readAlso":[],"unread":0,"unseen":0,"urgent":0,"version":0,"subscribed":false}]}}"#,
            {
                let limits = Welcome.Limits(
                    messageBytes: 65_536, bodyBytes: 16_384, subscriptions: 256, inFlight: 32, setSize: 1_000, historyPage: 100)
                let welcome = Welcome(
                    session: "s1", user: alice, time: moment, tokenExpiresAt: Timestamp(milliseconds: moment.milliseconds + 60_000),
                    terms: Welcome.Terms(pingIntervalMs: 25_000, limits: limits, features: ["typing"]),
                    channels: [
                        ListedChannel(state, isSubscribed: true), ListedChannel(ChannelState(channel: .inbox(alice)), isSubscribed: false),
                    ], totals: state.counters)
                ServerMessage.connected(re: 1, welcome, into: &$0)
            }
        ),
        (
            #"{"re":2,"ok":{"tokenExpiresAt":"1970-01-01T00:00:00.000Z","tokenTtlMs":0}}"#,
            { ServerMessage.refreshed(re: 2, tokenExpiresAt: Timestamp(milliseconds: 0), now: moment, into: &$0) }
        ),
        (
            #"{"re":3,"ok":{"channel":"inbox","kind":"inbox","head":0,"delivered":0,"seen":0,"read":0,"readAlso":[],"unread":0,"unseen":0,"urgent":0,"version":0,"subscribed":true,"since":4}}"#,
            {
                let listed = ListedChannel(ChannelState(channel: .inbox(alice)), isSubscribed: true, since: Seq(4))
                ServerMessage.channelState(re: 3, listed, into: &$0)
            }
        ),
        (#"{"re":4,"ok":{"channel":"inbox"}}"#, { ServerMessage.unsubscribed(re: 4, .inbox(alice), into: &$0) }),
        (
            #"{"re":5,"ok":{"channel":"inbox","delivered":6}}"#,
            { ServerMessage.acknowledged(re: 5, .inbox(alice), delivered: Seq(6), into: &$0) }
        ),
        (
            #"{"re":6,"ok":{"channel":"conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa","delivered":8,"seen":7,"read":2,"readAlso":[[4,4],[6,7]],"unread":3,"unseen":2,"urgent":1,"version":14}}"#,
            { ServerMessage.marked(re: 6, state, into: &$0) }
        ),
        (
            #"{"re":7,"ok":{"channel":"inbox","seq":3,"createdAt":"2026-11-23T22:45:00.123Z","duplicate":true}}"#,
            { ServerMessage.sent(re: 7, in: .inbox(alice), StoredDraft(seq: Seq(3), createdAt: moment, duplicate: true), into: &$0) }
        ),
        (
            #"{"re":8,"ok":{"channel":"inbox","entries":[{"type":"entry","channel":"inbox","seq":1,"id":"1","kind":"notification","event":"t","priority":"normal","form":"full","createdAt":"2026-11-23T22:45:00.123Z"}],"head":1,"more":false}}"#,
            {
                let entry = Entry(seq: Seq(1), createdAt: moment, draft: bare)
                ServerMessage.history(re: 8, .inbox(alice), [entry], for: alice, head: Seq(1), more: false, into: &$0)
            }
        ),
        (#"{"re":9,"ok":{}}"#, { ServerMessage.done(re: 9, into: &$0) }),
        (
            #"{"re":9007199254740991,"ok":{"time":"2026-11-23T22:45:00.123Z"}}"#,
            { ServerMessage.time(re: CommandLimits.maximumNumber, moment, into: &$0) }
        ),
        (
            #"{"re":null,"error":{"code":"bad_json","message":"a \"b\"","temporary":false}}"#,
            { ServerMessage.error(CommandRejection(id: nil, .badJSON, "a \"b\""), into: &$0) }
        ),
        (
            #"{"re":1,"error":{"code":"rate_limited","message":"m","temporary":true,"retryAfterMs":1500}}"#,
            { ServerMessage.error(re: 1, .rateLimited, "m", retryAfterMs: 1500, into: &$0) }
        ),
        (
            #"{"re":1,"error":{"code":"forbidden","message":"m","temporary":false}}"#,
            { ServerMessage.error(re: 1, .forbidden, "m", retryAfterMs: 1500, into: &$0) }
        ),
    ]

    @Test("Each message is appended in exactly its documented form", arguments: cases)
    func exact(expected: String, write: @Sendable (inout [UInt8]) -> Void) throws {
        var output = Array("x\n".utf8)
        write(&output)
        #expect(String(decoding: output, as: UTF8.self) == "x\n" + expected)
        #expect(try JSONValue.parse(expected).text == expected)
        #expect(!expected.contains("\n"))
    }
}
