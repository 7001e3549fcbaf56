import HangGuard
import Testing

@testable import Messaging

@Suite("Commands of a client", .guarded)
struct ClientCommandTests {
    static let alice = UserID("alice")!
    static let top = CommandLimits.maximumNumber

    private func lines(_ text: String) -> [ParsedLine] {
        var lines: [ParsedLine] = []
        ClientCommand.parse(Array(text.utf8).span, limits: CommandLimits()) { lines.append($0) }
        return lines
    }

    @Test("a plain ack is not copied out of its message, and has the same meaning as the command")
    func plainAcks() throws {
        let text = #"{"id":4,"type":"ack","channel":"inbox","seq":42}"# + "\n" + #"{"seq":0,"channel":"é","type":"ack"}"#
        let both = lines(text)
        #expect(both.count == 2)
        guard case .plainAck(let ack)? = both.first else {
            Issue.record("no plain ack: \(both)")
            return
        }
        #expect(ack.id == 4)
        #expect(ack.command(in: Array(text.utf8).span) == ClientCommand.Ack(channel: "inbox", seq: Seq(42)))
        #expect(both.last == .command(ClientCommand(id: nil, body: .ack(channel: "é", seq: .zero))))
        let last = "\n" + #"{"type":"ack","channel":"broadcast:system","seq":9007199254740991}"# + "\n"
        guard case .plainAck(let largest)? = lines(last).first else {
            Issue.record("no plain ack: \(last)")
            return
        }
        #expect(largest.id == nil)
        #expect(largest.command(in: Array(last.utf8).span) == ClientCommand.Ack(channel: "broadcast:system", seq: Seq(Self.top)))
    }

    @Test(
        "another command, or an ack with an error, is not a plain ack",
        arguments: [
            #"{"id":4,"type":"ack","channel":"inbox"}"#, #"{"id":4,"type":"ack","channel":7,"seq":1}"#,
            #"{"id":4,"type":"ack","channel":"inbox","seq":9007199254740992}"#, #"{"id":"4","type":"ack","channel":"inbox","seq":1}"#,
            #"{"id":4,"type":"ack","channel":"inbox","seq":1,"seq":2}"#, #"{"id":4,"type":"mark-seen","channel":"inbox","upTo":1}"#,
            #"{"id":4,"type":"ack","channel":"inbox","seq":1}x"#, #"{"id":4,"type":"ack","channel":"inbox","seq":"1"}"#, "{}",
        ])
    func notPlain(line: String) {
        let found = lines(line)
        #expect(found.count == 1)
        if case .plainAck? = found.first { Issue.record("a plain ack: \(line)") }
        #expect(found.first?.result(in: Array(line.utf8).span) == ClientCommand.parse(Array(line.utf8), limits: CommandLimits()).first)
    }

    @Test("every command but ping shows that the user is active, unless it says that the user is away; an invalid line does not")
    func signsOfTheUser() {
        for (line, _, body) in Self.accepted {
            let isSign = ![.ping, .presence(.away), .presence(nil)].contains(body)
            #expect(lines(line).map(\.isSignOfUser) == [isSign], "\(line)")
        }
        #expect(lines("nonsense").map(\.isSignOfUser) == [false])
    }

    static let accepted: [(String, UInt64?, ClientCommand.Body)] = [
        (#"{"type":"ping"}"#, nil, .ping),
        (#"{"id":0,"type":"ping"}"#, 0, .ping),
        (#"{"type":"ping","id":9007199254740991}"#, top, .ping),
        (#"{"type":"ping","id":null,"unknown":[{"type":"ack"}],"type2":1}"#, nil, .ping),
        (#" { "t\u0079pe" : "\u0070ing" , "id" : 3 } "#, 3, .ping),
        (#"{"id":1,"type":"connect"}"#, 1, .connect(token: nil, subscriptions: [])),
        (#"{"id":1,"type":"connect","token":"a.b.c","channels":[]}"#, 1, .connect(token: "a.b.c", subscriptions: [])),
        (
            #"{"id":1,"type":"connect","channels":[{"channel":"inbox","since":7},{"channel":"broadcast:system","x":1}]}"#, 1,
            .connect(token: nil, subscriptions: [.init(channel: "inbox", start: .since(Seq(7))), .init(channel: "broadcast:system")])
        ),
        (
            #"{"id":1,"type":"connect","requires":["tail","x"],"channels":[{"channel":"inbox","tail":20}]}"#, 1,
            .connect(token: nil, subscriptions: [.init(channel: "inbox", start: .tail(20))], requires: ["tail", "x"])
        ),
        (#"{"id":2,"type":"refresh","token":"a.b.c"}"#, 2, .refresh(token: "a.b.c")),
        (#"{"id":3,"type":"subscribe","channel":"inbox"}"#, 3, .subscribe(channel: "inbox")),
        (#"{"id":3,"type":"subscribe","channel":"inbox","since":null}"#, 3, .subscribe(channel: "inbox")),
        (#"{"id":3,"type":"subscribe","channel":"inbox","since":0}"#, 3, .subscribe(channel: "inbox", .since(.zero))),
        (
            #"{"id":4,"type":"edit","channel":"c","seq":7,"key":"k","body":"b","data":[1]}"#, 4,
            .edit(channel: "c", seq: Seq(7), key: "k", body: "b", data: "[1]")
        ),
        (#"{"id":4,"type":"delete","channel":"c","seq":7,"key":"k"}"#, 4, .delete(channel: "c", seq: Seq(7), key: "k")),
        (#"{"id":4,"type":"leave","channel":"conversation:7"}"#, 4, .leave(channel: "conversation:7")),
        (#"{"id":4,"type":"unsubscribe","channel":"anything"}"#, 4, .unsubscribe(channel: "anything")),
        (#"{"id":5,"type":"ack","channel":"inbox","seq":120}"#, 5, .ack(channel: "inbox", seq: Seq(120))),
        (#"{"type":"ack","channel":"inbox","seq":9007199254740991}"#, nil, .ack(channel: "inbox", seq: Seq(top))),
        (#"{"id":6,"type":"mark-seen","channel":"inbox","seq":4}"#, 6, .markSeen(channel: "inbox", upTo: Seq(4))),
        (#"{"id":7,"type":"mark-read","channel":"inbox","seq":4}"#, 7, .markRead(channel: "inbox", .set([Seq(4)]))),
        (
            #"{"id":7,"type":"mark-read","channel":"inbox","seqs":[9,4,9,1]}"#, 7,
            .markRead(channel: "inbox", .set([Seq(1), Seq(4), Seq(9)]))
        ),
        (#"{"id":7,"type":"mark-read","channel":"inbox","upTo":0}"#, 7, .markRead(channel: "inbox", .upTo(.zero))),
        (#"{"id":7,"type":"mark-read","channel":"inbox","all":true,"seq":null}"#, 7, .markRead(channel: "inbox", .all)),
        (#"{"id":8,"type":"mark-unread","channel":"inbox","seq":4}"#, 8, .markUnread(channel: "inbox", [Seq(4)])),
        (#"{"id":8,"type":"mark-unread","channel":"inbox","seqs":[4]}"#, 8, .markUnread(channel: "inbox", [Seq(4)])),
        (#"{"id":9,"type":"open","with":"alice"}"#, 9, .open(with: alice, context: nil)),
        (#"{"id":9,"type":"open","with":"alice","context":"review:1"}"#, 9, .open(with: alice, context: "review:1")),
        (
            #"{"id":10,"type":"send","to":"alice","key":"k","body":"Hé"}"#, 10,
            .send(ClientCommand.Send(target: .user(alice), key: "k", body: "Hé"))
        ),
        (
            #"{"id":10,"type":"send","channel":"c","key":"k","body":" x ","context":"r","replyTo":3,"data":{"a" : [1.50,"\u00e9"]}}"#, 10,
            .send(
                ClientCommand.Send(target: .channel("c"), key: "k", body: " x ", context: "r", replyTo: Seq(3), data: #"{"a":[1.50,"é"]}"#))
        ),
        (#"{"id":11,"type":"history","channel":"inbox"}"#, 11, .history(channel: "inbox", after: nil, before: nil, limit: 100)),
        (
            #"{"id":11,"type":"history","channel":"inbox","after":3,"limit":1}"#, 11,
            .history(channel: "inbox", after: Seq(3), before: nil, limit: 1)
        ),
        (
            #"{"id":11,"type":"history","channel":"inbox","before":3,"limit":9007199254740991}"#, 11,
            .history(channel: "inbox", after: nil, before: Seq(3), limit: 100)
        ),
        (#"{"id":11,"type":"why","channel":"inbox","seq":3}"#, 11, .why(channel: "inbox", seq: Seq(3))),
        (#"{"id":11,"type":"conversations"}"#, 11, .conversations(before: nil, limit: 100)),
        (#"{"id":11,"type":"conversations","before":"c","limit":7}"#, 11, .conversations(before: "c", limit: 7)),
        (#"{"id":12,"type":"block","user":"alice"}"#, 12, .block(user: alice)),
        (#"{"id":12,"type":"unblock","user":"alice"}"#, 12, .unblock(user: alice)),
        (#"{"id":12,"type":"blocks"}"#, 12, .blocks), (#"{"type":"blocks","user":7}"#, nil, .blocks),
        (#"{"id":12,"type":"typing","channel":"c"}"#, 12, .typing(channel: "c")),
        (#"{"id":12,"type":"presence","state":"online"}"#, 12, .presence(.online)),
        (#"{"type":"presence","state":"away"}"#, nil, .presence(.away)), (#"{"id":0,"type":"presence","state":"off"}"#, 0, .presence(nil)),
        (#"{"id":13,"type":"activity"}"#, 13, .activity), (#"{"type":"activity","channel":7}"#, nil, .activity),
    ]

    /// A line, the id of its reply, the code, and what the message begins with.
    static let rejected: [(String, UInt64?, ErrorCode, String)] = [
        ("x", nil, .badJSON, "a command is one JSON object on one line: unexpected byte at byte 0"),
        ("[1]", nil, .badJSON, "a command is one JSON object"), ("null", nil, .badJSON, "a command is one JSON object"),
        (#"{"id":7,"type":"ping""#, 7, .badJSON, "a command is one JSON object on one line: the text ends inside a value at byte 21"),
        (#"{"id":7,"type":"ping"}{}"#, 7, .badJSON, "a command"), (#"{"type":"ping","id":7} x"#, 7, .badJSON, "a command"),
        (#"{"id":7,"id":7,"type":"ping"}"#, 7, .badJSON, "a command is one JSON object on one line: member name used twice"),
        (#"{"id":7,"type":"ping","x":"\u0000"}"#, 7, .badJSON, "a command is one JSON object on one line: U+0000"),
        (#"{"id":7,"type":"ping","x":"\ud800"}"#, 7, .badJSON, "a command is one JSON object on one line: half"),
        (#"{"id":7,"type":"send","to":"alice","key":"k","body":"b","data":{"a":1,"a":2}}"#, 7, .badJSON, "data: member name used twice"),
        ("{}", nil, .badRequest, "type: "), (#"{"id":7}"#, 7, .badRequest, "type: "), (#"{"id":7,"type":3}"#, 7, .badRequest, "type: "),
        (#"{"id":7,"type":"dance"}"#, 7, .unknownType, "type: dance is not one of connect, refresh, subscribe"),
        (#"{"id":7,"type":""}"#, 7, .unknownType, "type: "), (#"{"id":7,"type":"Ping"}"#, 7, .unknownType, "type: Ping"),
        (#"{"id":-1,"type":"ping"}"#, nil, .badRequest, "id: expected an integer 0…2^53-1"),
        (#"{"id":1.0,"type":"ping"}"#, nil, .badRequest, "id: "), (#"{"id":"1","type":"ping"}"#, nil, .badRequest, "id: "),
        (#"{"id":9007199254740992,"type":"ping"}"#, nil, .badRequest, "id: "),
        (#"{"id":99999999999999999999999,"type":"ping"}"#, nil, .badRequest, "id: "),
        (#"{"id":1,"type":"why","channel":"inbox"}"#, 1, .badRequest, "seq: expected an integer"),
        (#"{"id":1,"type":"why","channel":"inbox","seq":0}"#, 1, .badRequest, "seq: expected an integer"),
        (#"{"id":1,"type":"connect","token":1}"#, 1, .badRequest, "token: expected a string"),
        (#"{"id":1,"type":"connect","channels":{}}"#, 1, .badRequest, "channels: expected an array"),
        (#"{"id":1,"type":"connect","channels":["inbox"]}"#, 1, .badRequest, "channels: expected an array"),
        (#"{"id":1,"type":"connect","channels":[{"since":1}]}"#, 1, .badRequest, "channel: expected a string"),
        (#"{"id":1,"type":"connect","channels":[{"channel":"inbox","since":"1"}]}"#, 1, .badRequest, "since: expected an integer"),
        (
            #"{"id":1,"type":"connect","channels":[{"channel":"inbox","since":1,"tail":1}]}"#, 1, .badRequest,
            "since, tail: expected at most"
        ),
        (#"{"id":1,"type":"connect","requires":"tail"}"#, 1, .badRequest, "requires: expected an array of names"),
        (#"{"id":1,"type":"connect","requires":["tail",1]}"#, 1, .badRequest, "requires: expected an array of names"),
        (#"{"id":1,"type":"subscribe","channel":"inbox","tail":-1}"#, 1, .badRequest, "tail: expected an integer 0…2^53-1"),
        (#"{"id":1,"type":"send","to":"a","key":"k","body":"\u2800 \u2800"}"#, 1, .badRequest, "body: expected a text"),
        (#"{"id":1,"type":"send","to":"a","key":"k","body":"\u0007\u202e\ud834\udd59\u3164"}"#, 1, .badRequest, "body: expected a text"),
        (#"{"id":1,"type":"refresh"}"#, 1, .badRequest, "token: expected a string"),
        (#"{"id":1,"type":"refresh","token":null}"#, 1, .badRequest, "token: expected a string"),
        (#"{"id":1,"type":"subscribe"}"#, 1, .badRequest, "channel: expected a string"),
        (#"{"id":1,"type":"subscribe","channel":["inbox"]}"#, 1, .badRequest, "channel: expected a string"),
        (#"{"id":1,"type":"subscribe","channel":"inbox","since":-1}"#, 1, .badRequest, "since: expected an integer 0…2^53-1"),
        (#"{"id":1,"type":"edit","channel":"c","seq":0,"key":"k","body":"b"}"#, 1, .badRequest, "seq: expected an integer 1…2^53-1"),
        (#"{"id":1,"type":"edit","channel":"c","seq":1,"key":"k","body":" "}"#, 1, .badRequest, "body: expected a text"),
        (#"{"id":1,"type":"edit","channel":"c","seq":1,"key":"","body":"b"}"#, 1, .badRequest, "key: expected 1…64 bytes"),
        (#"{"id":1,"type":"delete","channel":"c","seq":1}"#, 1, .badRequest, "key: expected a string"),
        (#"{"id":1,"type":"delete","channel":"c","key":"k"}"#, 1, .badRequest, "seq: expected an integer 1…2^53-1"),
        (#"{"id":1,"type":"leave"}"#, 1, .badRequest, "channel: "),
        (#"{"id":1,"type":"presence"}"#, 1, .badRequest, "state: "),
        (#"{"id":1,"type":"presence","state":"gone"}"#, 1, .badRequest, "state: expected online, away or off"),
        (#"{"id":1,"type":"unsubscribe"}"#, 1, .badRequest, "channel: "), (#"{"id":1,"type":"typing"}"#, 1, .badRequest, "channel: "),
        (#"{"id":1,"type":"ack","channel":"inbox"}"#, 1, .badRequest, "seq: expected an integer 0…2^53-1"),
        (#"{"id":1,"type":"ack","channel":"inbox","seq":1e3}"#, 1, .badRequest, "seq: "),
        (#"{"id":1,"type":"ack","channel":"inbox","seq":9007199254740992}"#, 1, .badRequest, "seq: "),
        (#"{"id":1,"type":"ack","seq":1}"#, 1, .badRequest, "channel: "),
        (#"{"id":1,"type":"mark-seen","channel":"c"}"#, 1, .badRequest, "seq: "),
        (#"{"id":1,"type":"mark-read","channel":"c"}"#, 1, .badRequest, "seq, seqs, upTo, all: expected exactly one"),
        (#"{"id":1,"type":"mark-read","channel":"c","seq":1,"upTo":1}"#, 1, .badRequest, "seq, seqs, upTo, all: expected exactly one"),
        (#"{"id":1,"type":"mark-read","channel":"c","all":false}"#, 1, .badRequest, "all: expected true"),
        (#"{"id":1,"type":"mark-read","channel":"c","all":1}"#, 1, .badRequest, "all: expected true"),
        (#"{"id":1,"type":"mark-read","channel":"c","seqs":[]}"#, 1, .badRequest, "seqs: expected at least one"),
        (#"{"id":1,"type":"mark-read","channel":"c","seqs":[1,"2"]}"#, 1, .badRequest, "seqs: expected integers"),
        (#"{"id":1,"type":"mark-read","channel":"c","seqs":[0]}"#, 1, .badRequest, "seqs: expected integers 1…2^53-1"),
        (#"{"id":1,"type":"mark-read","channel":"c","seqs":3}"#, 1, .badRequest, "seqs: expected an array"),
        (#"{"id":1,"type":"mark-read","channel":"c","seq":0}"#, 1, .badRequest, "seq: expected an integer 1…2^53-1"),
        (#"{"id":1,"type":"mark-unread","channel":"c","upTo":3}"#, 1, .badRequest, "seq, seqs: expected exactly one"),
        (#"{"id":1,"type":"mark-unread","channel":"c","seq":3,"seqs":[3]}"#, 1, .badRequest, "seq, seqs: expected exactly one"),
        (#"{"id":1,"type":"open"}"#, 1, .badRequest, "with: expected a string"),
        (#"{"id":1,"type":"open","with":""}"#, 1, .badRequest, "with: "),
        (#"{"id":1,"type":"open","with":"a\n"}"#, 1, .badRequest, "with: expected a user's name of 1…255 bytes"),
        (#"{"id":1,"type":"open","with":"a","context":""}"#, 1, .badRequest, "context: expected a name of 1…255 bytes"),
        (#"{"id":1,"type":"open","with":"a","context":{}}"#, 1, .badRequest, "context: expected a string"),
        (#"{"id":1,"type":"block"}"#, 1, .badRequest, "user: expected a string"),
        (#"{"id":1,"type":"block","user":""}"#, 1, .badRequest, "user: expected a user's name of 1…255 bytes"),
        (#"{"id":1,"type":"unblock","user":["alice"]}"#, 1, .badRequest, "user: expected a string"),
        (#"{"id":1,"type":"send","key":"k","body":"b"}"#, 1, .badRequest, "channel, to: expected exactly one"),
        (#"{"id":1,"type":"send","channel":"c","to":"a","key":"k","body":"b"}"#, 1, .badRequest, "channel, to: expected exactly one"),
        (#"{"id":1,"type":"send","to":"a","body":"b"}"#, 1, .badRequest, "key: expected a string"),
        (#"{"id":1,"type":"send","to":"a","key":"","body":"b"}"#, 1, .badRequest, "key: expected 1…64 bytes"),
        (#"{"id":1,"type":"send","to":"a","key":"k"}"#, 1, .badRequest, "body: expected a string"),
        (#"{"id":1,"type":"send","to":"a","key":"k","body":""}"#, 1, .badRequest, "body: expected a text that is not blank"),
        (
            #"{"id":1,"type":"send","to":"a","key":"k","body":" \t\r\n\u00a0\u2003\u3000\u200b\ufeff"}"#, 1, .badRequest,
            "body: expected a text"
        ),
        (#"{"id":1,"type":"send","to":"a","key":"k","body":"b","replyTo":0}"#, 1, .badRequest, "replyTo: expected an integer 1…2^53-1"),
        (#"{"id":1,"type":"history","channel":"c","after":1,"before":2}"#, 1, .badRequest, "after, before: expected at most one"),
        (#"{"id":1,"type":"conversations","before":7}"#, 1, .badRequest, "before: "),
        (#"{"id":1,"type":"history","channel":"c","limit":0}"#, 1, .badRequest, "limit: expected an integer 1…2^53-1"),
        (#"{"id":1,"type":"history","channel":"c","limit":"9"}"#, 1, .badRequest, "limit: "),
    ]

    @Test("A valid line is a command", arguments: accepted)
    func accepts(line: String, id: UInt64?, body: ClientCommand.Body) {
        #expect(parse(line) == [.success(ClientCommand(id: id, body: body))])
    }

    @Test("An invalid line is refused with its id, a code and the wrong member", arguments: rejected)
    func rejects(line: String, id: UInt64?, code: ErrorCode, message: String) {
        let results = parse(line)
        #expect(results.count == 1)
        guard case .failure(let rejection)? = results.first else {
            Issue.record("accepted: \(results)")
            return
        }
        #expect(rejection.id == id)
        #expect(rejection.code == code)
        #expect(rejection.message.hasPrefix(message), "\(rejection.message)")
    }

    @Test("Every command has a valid and an invalid example")
    func completeTable() {
        for type in ClientCommand.types {
            #expect(Self.accepted.contains { $0.0.contains("\"\(type.name)\"") })
            let hasMembers = type.schema.row != "–"
            if hasMembers { #expect(Self.rejected.contains { $0.0.contains("\"\(type.name)\"") && $0.2 == .badRequest }) }
        }
    }

    @Test("Each line of a message is judged alone, in order")
    func manyLines() {
        let message =
            "\n{\"id\":1,\"type\":\"ping\"}\r\n  \nnonsense\n{\"id\":2,\"type\":\"dance\"}\n\n{\"id\":3,\"type\":\"typing\",\"channel\":\"c\"}\n"
        let results = parse(message)
        #expect(results.count == 4)
        #expect(results.first == .success(ClientCommand(id: 1, body: .ping)))
        #expect(results.last == .success(ClientCommand(id: 3, body: .typing(channel: "c"))))
        #expect(results.map(code) == [nil, .badJSON, .unknownType, nil])
    }

    @Test("A message without a command is answered once", arguments: ["", "\n", " \r\n\t\n"])
    func empty(message: String) {
        #expect(parse(message).map(code) == [.badJSON])
    }

    @Test("Lines beyond the limit are refused once and not parsed", arguments: [1, 3, 64])
    func lineLimit(limit: Int) {
        var limits = CommandLimits()
        limits.commandsPerMessage = limit
        let line = "{\"type\":\"ping\"}\n"
        #expect(parse(String(repeating: line, count: limit), limits).count == limit)
        let results = parse(String(repeating: line, count: limit + 5) + "garbage", limits)
        #expect(results.count == limit + 1)
        #expect(results.last.flatMap(code) == .limitExceeded)
    }

    @Test("Sizes are counted in bytes and refused one beyond the limit")
    func sizes() {
        var limits = CommandLimits()
        limits.bodyBytes = 4
        limits.dataBytes = 6
        limits.setSize = 2
        limits.subscriptions = 1
        func send(key: String = "k", body: String = "b", data: String = "1", context: String = "c") -> ErrorCode? {
            code(
                parse(
                    #"{"id":1,"type":"send","to":"a","key":"\#(key)","body":"\#(body)","data":\#(data),"context":"\#(context)"}"#, limits)[
                        0])
        }
        #expect(send(body: "éé") == nil)
        #expect(send(body: "ééx") == .tooLarge)
        #expect(send(body: #"\u00e9\u00e9"#) == nil)
        #expect(send(data: "[  1, 22 ]") == nil)
        #expect(send(data: "[1,222]") == .tooLarge)
        #expect(send(key: String(repeating: "é", count: 32)) == nil)
        #expect(send(key: String(repeating: "é", count: 32) + "x") == .badRequest)
        #expect(send(key: #"a\u0007"#) == .badRequest)
        #expect(send(context: String(repeating: "x", count: 255)) == nil)
        #expect(send(context: String(repeating: "x", count: 256)) == .badRequest)
        #expect(code(parse(#"{"type":"mark-read","channel":"c","seqs":[1,2]}"#, limits)[0]) == nil)
        #expect(code(parse(#"{"type":"mark-read","channel":"c","seqs":[1,2,2]}"#, limits)[0]) == .limitExceeded)
        #expect(code(parse(#"{"type":"connect","channels":[{"channel":"a"},{"channel":"b"}]}"#, limits)[0]) == nil, "connect tells it")
    }

    @Test("A refusal quotes a bounded part of the peer's text")
    func shortQuotes() {
        let marks = "e" + String(repeating: "\u{301}", count: 20_000)
        guard case .failure(let rejection) = parse(#"{"type":"\#(marks)"}"#)[0] else {
            Issue.record("accepted")
            return
        }
        #expect(rejection.code == .unknownType)
        #expect(rejection.message.utf8.count < 400, "the names of all commands and a part of this one")
    }

    @Test("A truncated or changed line is answered and never traps", arguments: accepted.map(\.0))
    func damage(line: String) {
        let bytes = Array(line.utf8)
        for cut in bytes.indices {
            let results = ClientCommand.parse(Array(bytes[..<cut]), limits: CommandLimits())
            #expect(results.count == 1)
            #expect(code(results[0]) == .badJSON || line.hasSuffix(" "))
        }
        for i in bytes.indices {
            for byte: UInt8 in [0x00, 0x0A, 0x20, 0x22, 0x2C, 0x2D, 0x30, 0x39, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0x80, 0xC3, 0xFF] {
                var damaged = bytes
                damaged[i] = byte
                #expect(!ClientCommand.parse(damaged, limits: CommandLimits()).isEmpty)
            }
        }
    }

    @Test("The members of a sent message become members of its entry")
    func content() {
        let draft = ClientCommand.Send(target: .channel("c"), key: "k", body: "a \"b\"\n", context: "r", replyTo: Seq(3), data: "[1]")
        #expect(draft.content == #""body":"a \"b\"\n","context":"r","data":[1],"replyTo":3"#)
        #expect(ClientCommand.Send(target: .channel("c"), key: "k", body: "x").content == #""body":"x""#)
    }

    private func parse(_ text: String, _ limits: CommandLimits = CommandLimits()) -> [Result<ClientCommand, CommandRejection>] {
        ClientCommand.parse(Array(text.utf8), limits: limits)
    }

    private func code(_ result: Result<ClientCommand, CommandRejection>) -> ErrorCode? {
        if case .failure(let rejection) = result { rejection.code } else { nil }
    }
}
