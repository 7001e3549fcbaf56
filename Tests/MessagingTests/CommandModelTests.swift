import HangGuard
import JSON
import TestKit
import Testing

@testable import Messaging

@Suite("Commands made at random", .guarded)
struct CommandModelTests {
    @Test("The meaning of a command does not depend on its notation", arguments: [1, 2, 3, 4] as [UInt64])
    func spellings(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<2_000 {
            let (command, members) = makeCommand(&random)
            let line = spell(members, &random)
            #expect(ClientCommand.parse(Array(line.utf8), limits: CommandLimits()) == [.success(command)], "\(line)")
        }
    }

    @Test("Damaged messages are answered line by line", arguments: [1, 2, 3, 4] as [UInt64])
    func spoiled(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let corpus = ClientCommandTests.accepted.map { Array($0.0.utf8) } + ClientCommandTests.rejected.map { Array($0.0.utf8) }
        var accepted = 0
        for _ in 0..<20_000 {
            var message = Mutator.mutate(random.pick(corpus), with: corpus, using: &random)
            if random.chance(4) { message += [0x0A] + random.pick(corpus) }
            let lines = message.split(separator: 0x0A).filter { !$0.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }
            let results = ClientCommand.parse(message, limits: CommandLimits())
            #expect(results.count == max(lines.count, 1))
            for (line, result) in zip(lines, results) {
                #expect(ClientCommand.parse(Array(line), limits: CommandLimits()) == [result])
                switch result {
                case .success(let command):
                    accepted += 1
                    #expect(command.id ?? 0 <= CommandLimits.maximumNumber)
                    #expect((try? JSONValue.parse(Array(line)))?["type"]?.string != nil || !hasOnlyKnownDuplicates(line))
                case .failure(let rejection):
                    var reply: [UInt8] = []
                    ServerMessage.error(rejection, into: &reply)
                    #expect((try? JSONValue.parse(reply))?["error"]?["code"]?.string == rejection.code.rawValue)
                    #expect(reply.count < 400 + 8 * 40)
                }
            }
        }
        #expect(accepted > 1_000)
    }

    /// The parser passes over unknown members, so it alone accepts a line that repeats one of those.
    private func hasOnlyKnownDuplicates(_ line: ArraySlice<UInt8>) -> Bool {
        do {
            _ = try JSONValue.parse(Array(line))
            return true
        } catch {
            return error.reason != .duplicateMember
        }
    }

    // MARK: The model

    private typealias Members = [(String, JSONValue)]

    private func makeCommand(_ random: inout SeededRandom) -> (ClientCommand, Members) {
        let id: UInt64? = random.chance(3) ? nil : random.next() >> UInt64.random(in: 11...63, using: &random)
        let kind = random.pick(ClientCommand.names)
        let channel = random.pick(["inbox", "broadcast:system", "conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa", "é\"\\\n😀", ""])
        let seq = number(&random, from: 0)
        let entry = number(&random, from: 1)
        let seqs = Set((0..<Int.random(in: 1...9, using: &random)).map { _ in UInt64.random(in: 1...20, using: &random) })
        let user = random.pick(["alice", "b\"o\"b", "é", "😀", " "])
        let text = random.pick(["x", "a\nb", "\u{1}\u{7F}\"\\/", "e\u{301}", "😀 \u{2028}", String(repeating: "long ", count: 90)])
        let context: String? = random.chance(2) ? "review:1" : nil
        let since: UInt64? = random.chance(2) ? seq : nil
        let start = since.map { random.chance(2) ? SubscriptionStart.since(Seq($0)) : .tail($0) } ?? .head

        var members: Members = [("type", .string(kind))]
        if let id { members.append(("id", .number(JSONNumber(id)))) }
        if [
            "subscribe", "unsubscribe", "ack", "mark-seen", "mark-read", "mark-unread", "history", "typing", "leave", "why", "edit",
            "delete",
        ]
        .contains(kind) {
            members.append(("channel", .string(channel)))
        }
        let body: ClientCommand.Body
        switch kind {
        case "connect":
            members.append(("token", .string(text)))
            members.append(("channels", .array([request(channel, start), request("inbox", .head)])))
            let requires = random.chance(2) ? ["tail", text] : []
            if !requires.isEmpty { members.append(("requires", .array(requires.map { .string($0) }))) }
            body = .connect(
                token: text, subscriptions: [.init(channel: channel, start: start), .init(channel: "inbox")], requires: requires)
        case "refresh":
            members.append(("token", .string(text)))
            body = .refresh(token: text)
        case "subscribe":
            for member in ["since", "tail"] {
                if let value = request(channel, start)[member] { members.append((member, value)) }
            }
            body = .subscribe(channel: channel, start)
        case "unsubscribe":
            body = .unsubscribe(channel: channel)
        case "ack":
            members.append(("seq", json(seq)))
            body = .ack(channel: channel, seq: Seq(seq))
        case "mark-seen":
            members.append(("seq", json(seq)))
            body = .markSeen(channel: channel, upTo: Seq(seq))
        case "mark-read":
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                members.append(("seq", json(entry)))
                body = .markRead(channel: channel, .set([Seq(entry)]))
            case 1:
                members.append(("seqs", .array((seqs.shuffled(using: &random) + seqs).map(json))))
                body = .markRead(channel: channel, .set(seqs.sorted().map { Seq($0) }))
            case 2:
                members.append(("upTo", json(seq)))
                body = .markRead(channel: channel, .upTo(Seq(seq)))
            default:
                members.append(("all", true))
                body = .markRead(channel: channel, .all)
            }
        case "mark-unread":
            members.append(("seqs", .array(seqs.map(json))))
            body = .markUnread(channel: channel, seqs.sorted().map { Seq($0) })
        case "open":
            members.append(("with", .string(user)))
            if let context { members.append(("context", .string(context))) }
            body = .open(with: UserID(user)!, context: context)
        case "send":
            let data: JSONValue? = random.chance(2) ? ["a": [1, nil, true, .string(text)]] : nil
            members += [("to", .string(user)), ("key", .string(channel.isEmpty ? "k" : "k-1")), ("body", .string(text + "x"))]
            if let context { members.append(("context", .string(context))) }
            if let data { members.append(("data", data)) }
            if let since, since > 0 { members.append(("replyTo", json(since))) }
            body = .send(
                ClientCommand.Send(
                    target: .user(UserID(user)!), key: channel.isEmpty ? "k" : "k-1", body: text + "x", context: context,
                    replyTo: since.flatMap { $0 > 0 ? Seq($0) : nil }, data: data?.text))
        case "history":
            let isAfter = random.chance(2)
            if let since { members.append((isAfter ? "after" : "before", json(since))) }
            members.append(("limit", json(entry)))
            body = .history(
                channel: channel, after: isAfter ? since.map { Seq($0) } : nil, before: isAfter ? nil : since.map { Seq($0) },
                limit: Int(min(entry, 100)))
        case "conversations":
            if since != nil { members.append(("before", .string(channel))) }
            members.append(("limit", json(entry)))
            body = .conversations(before: since == nil ? nil : channel, limit: Int(min(entry, 100)))
        case "edit":
            let data: JSONValue? = random.chance(2) ? ["a": [1, nil, true, .string(text)]] : nil
            members += [("seq", json(entry)), ("key", "k"), ("body", .string(text + "x"))]
            if let data { members.append(("data", data)) }
            body = .edit(channel: channel, seq: Seq(entry), key: "k", body: text + "x", data: data?.text)
        case "delete":
            members += [("seq", json(entry)), ("key", "k")]
            body = .delete(channel: channel, seq: Seq(entry), key: "k")
        case "why":
            members.append(("seq", json(entry)))
            body = .why(channel: channel, seq: Seq(entry))
        case "leave":
            body = .leave(channel: channel)
        case "block":
            members.append(("user", .string(user)))
            body = .block(user: UserID(user)!)
        case "unblock":
            members.append(("user", .string(user)))
            body = .unblock(user: UserID(user)!)
        case "blocks":
            body = .blocks
        case "typing":
            body = .typing(channel: channel)
        case "presence":
            members.append(("state", .string("away")))
            body = .presence(.away)
        case "activity":
            body = .activity
        case "ping":
            body = .ping
        default: preconditionFailure("the model does not know \(kind)")
        }
        return (ClientCommand(id: id, body: body), members)
    }

    private func number(_ random: inout SeededRandom, from lowest: UInt64) -> UInt64 {
        max(lowest, random.next() >> UInt64.random(in: 11...63, using: &random))
    }

    private func json(_ number: UInt64) -> JSONValue { .number(JSONNumber(number)) }

    private func request(_ channel: String, _ start: SubscriptionStart) -> JSONValue {
        switch start {
        case .head: ["channel": .string(channel)]
        case .since(let seq): ["channel": .string(channel), "since": json(seq.rawValue)]
        case .tail(let count): ["channel": .string(channel), "tail": json(count)]
        }
    }

    // MARK: Spelling

    /// The same members in any order, among unknown and null ones, with white space and escapes wherever JSON allows them.
    private func spell(_ members: Members, _ random: inout SeededRandom) -> String {
        var members = members
        let unknown: Members = [("x", 1), ("Type", "ack"), ("", ["a": [nil]]), ("identity", "7"), ("seventeen-letters", false)]
        members += unknown.filter { _ in random.chance(3) }
        let absent = ["seq", "since", "tail", "requires", "before", "after", "replyTo", "context", "all", "upTo"].filter { name in
            !members.contains { $0.0 == name }
        }
        members += absent.filter { _ in random.chance(6) }.map { ($0, .null) }
        return spell(object: members.shuffled(using: &random), &random)
    }

    private func spell(object members: Members, _ random: inout SeededRandom) -> String {
        let parts = members.map { spell($0.0, &random) + space(&random) + ":" + spell(value: $0.1, &random) }
        return space(&random) + "{" + space(&random) + parts.joined(separator: space(&random) + ",") + "}" + space(&random)
    }

    private func spell(value: JSONValue, _ random: inout SeededRandom) -> String {
        switch value {
        case .null, .bool, .number: space(&random) + value.text
        case .string(let text): spell(text, &random)
        case .array(let elements):
            space(&random) + "[" + elements.map { spell(value: $0, &random) }.joined(separator: ",") + space(&random) + "]"
        case .object(let object): spell(object: object.members.map { ($0.name, $0.value) }, &random)
        }
    }

    private func spell(_ text: String, _ random: inout SeededRandom) -> String {
        guard random.chance(4) else { return space(&random) + JSONValue.string(text).text }
        let units = text.utf16.map { unit in
            let digits = String(unit, radix: 16, uppercase: unit % 2 == 0)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return space(&random) + "\"\(units.joined())\""
    }

    private func space(_ random: inout SeededRandom) -> String {
        random.chance(3) ? random.pick([" ", "\t", "\r", "  \t "]) : ""
    }
}
