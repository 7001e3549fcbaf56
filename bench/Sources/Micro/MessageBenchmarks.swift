import Foundation
import Messaging
import WSProtocol

/// The hub's protocol: parsing commands, encoding entries and replies, and the path of an ack from its frame to the order for the store.
enum MessageBenchmarks {
    static var all: [Benchmark] {
        [
            parsing("ack", title: "parse an ack; its channel's name stays in the message", ack),
            parsing("send", title: "parse a message of 200 B to be sent", send),
            parsing("mark-read", title: "parse a mark-read of five entries", markRead),
            decodingEvent, encodingEntry, encodingReply, path("ack", ack), path("send", send), path("mark-read", markRead),
        ]
    }

    private static let conversation = "conversation:018f2c5e-7a1b-4c3d-9e8f-0123456789ab"
    private static let ack = Array(#"{"id":1234,"type":"ack","channel":"broadcast:system","seq":4711}"#.utf8)
    private static let markRead = Array(#"{"id":1235,"type":"mark-read","channel":"inbox","seqs":[4701,4703,4704,4709,4711]}"#.utf8)
    private static let send =
        Array(#"{"id":1236,"type":"send","channel":"\#(conversation)","key":"018f2c5e-91ac","body":""#.utf8)
        + Texts.german(200) + Array(#""}"#.utf8)

    private static func foundation(_ text: [UInt8]) -> Benchmark.Yardstick {
        Benchmark.Yardstick(name: "Foundation's JSONSerialization") {
            let data = Data(text)
            return { times in
                var done = 0
                for _ in 0..<times where try JSONSerialization.jsonObject(with: data) is [String: Any] { done += 1 }
                return done
            }
        }
    }

    private static func parsing(_ name: String, title: String, _ line: [UInt8]) -> Benchmark {
        return Benchmark(name: "parse-\(name)", title: title, yardsticks: [Benchmark.copying(line.count), foundation(line)]) {
            let line = opaque(line)
            let limits = CommandLimits()
            return { times in
                var done = 0
                for _ in 0..<times {
                    ClientCommand.parse(line.span, limits: limits) { line in
                        if case .rejected = line { return }
                        done += 1
                    }
                }
                return done
            }
        }
    }

    /// Events as services publish them, and as `hub-bench durable` does.
    private static var decodingEvent: Benchmark {
        let value = Array(
            (#"{"id":"0000001800000000","type":"bench","to":["user:bench-00000-471"],"title":"Bench","body":""#
                + String(repeating: "x", count: 100) + #""}"#).utf8)
        return Benchmark(
            name: "decode-event", title: "a Kafka record of an event for one user becomes an entry to be stored",
            yardsticks: [Benchmark.copying(value.count), foundation(value)]
        ) {
            let decoder = EventDecoder()
            let record = EventRecord(topic: "hub.events", partition: 3, offset: 4711, value: opaque(value))
            return { times in
                var done = 0
                for _ in 0..<times {
                    if case .entries(let drafts) = decoder.decode(record), drafts.count == 1 { done += 1 }
                }
                return done
            }
        }
    }

    private static func reviewRequest() -> Entry {
        let draft = EntryDraft(
            channel: .broadcast("system"), source: "kafka:portfolio", id: "018f2c5e-7a1b-4c3d-9e8f-0123456789ab", kind: .notification,
            eventType: "peer-review.requested",
            content: #""title":"A review is waiting","body":"\#(Texts.shortBody)","link":"/portfolio/17/review""#)
        return Entry(seq: Seq(4711), createdAt: Timestamp(milliseconds: 1_800_000_000_000), draft: draft)
    }

    private static var encodingEntry: Benchmark {
        Benchmark(
            name: "encode-entry", title: "encode an entry as JSON, in storage that is kept",
            yardsticks: [Benchmark.copying(encodedEntryBytes), foundationEntry]
        ) {
            let entry = reviewRequest()
            var output: [UInt8] = []
            return { times in
                var done = 0
                for _ in 0..<times {
                    output.removeAll(keepingCapacity: true)
                    ServerMessage.entry(entry, into: &output)
                    if keep(output) == encodedEntryBytes { done += 1 }
                }
                return done
            }
        }
    }

    private static let encodedEntryBytes = {
        var output: [UInt8] = []
        ServerMessage.entry(reviewRequest(), into: &output)
        return output.count
    }()

    private static var foundationEntry: Benchmark.Yardstick {
        Benchmark.Yardstick(name: "Foundation's JSONEncoder") {
            struct Plain: Encodable {
                var type = "entry"
                var channel = "broadcast:system"
                var seq = 4711
                var id = "018f2c5e-7a1b-4c3d-9e8f-0123456789ab"
                var kind = "notification"
                var event = "peer-review.requested"
                var priority = "normal"
                var form = "full"
                var title = "A review is waiting"
                var body = Texts.shortBody
                var link = "/portfolio/17/review"
                var createdAt = "2027-01-15T08:00:00.000Z"
            }
            let encoder = JSONEncoder()
            let plain = Plain()
            return { times in
                var done = 0
                for _ in 0..<times where try encoder.encode(plain).count > 200 { done += 1 }
                return done
            }
        }
    }

    private static var encodingReply: Benchmark {
        Benchmark(
            name: "encode-ack-reply", title: "encode the reply to an ack, with its frame", yardsticks: [Benchmark.copying(70)]
        ) {
            let channel = Channel.broadcast("system")
            var json: [UInt8] = []
            var output: [UInt8] = []
            return { times in
                var done = 0
                for _ in 0..<times {
                    json.removeAll(keepingCapacity: true)
                    output.removeAll(keepingCapacity: true)
                    ServerMessage.acknowledged(re: 1234, channel, delivered: Seq(4711), into: &json)
                    FrameEncoder.append(.text, json.span, into: &output)
                    if keep(output) > json.count { done += 1 }
                }
                return done
            }
        }
    }

    /// The steps of one command that do no I/O: frame, UTF-8, line, rules, session. The result is the order for the store.
    private static func path(_ name: String, _ line: [UInt8]) -> Benchmark {
        Benchmark(
            name: "path-\(name)", title: "from the frame's bytes to the store's order: \(name)",
            yardsticks: [Benchmark.copying(line.count + 6)]
        ) {
            var frames = ClientFrames(.text, line)
            let receiver = Receiver()
            let listener = try Listener()
            return { times in
                var done = 0
                for _ in 0..<times {
                    _ = frames.feed(&receiver.connection, into: &receiver.output) { payload in done += listener.storeOrders(for: payload) }
                }
                return done
            }
        }
    }

    /// One open session that follows three channels.
    private final class Listener {
        var session = Session(id: "s-1")
        var rosters: [Roster] = []
        let limits = Session.Limits()
        let commandLimits = CommandLimits()

        init() throws {
            guard let user = UserID("student-4711"), let id = ConversationID(conversation.dropFirst("conversation:".count)) else {
                throw Failure("no such names")
            }
            let expiry = Timestamp(milliseconds: 1_900_000_000_000)
            guard session.identify(Identity(user: user, institution: nil, roles: [], channels: [], expiresAt: expiry)) else {
                throw Failure("not identified")
            }
            session.welcome()
            for (index, channel) in [Channel.inbox(user), .broadcast("system"), .conversation(id)].enumerated() {
                var roster = Roster(channel: channel)
                var subscriber = Subscriber(session: SessionID(slot: 1, generation: 0), user: 0)
                _ = subscriber.open(ChannelState(channel: channel, head: Seq(5000)), since: nil)
                let slot = roster.add(subscriber)
                rosters.append(roster)
                session.joined(
                    Session.Subscription(channel: channel, roster: UInt32(index), slot: UInt32(slot), registration: UInt32(index)))
            }
        }

        private func position(_ subscription: Session.Subscription) -> Seq? {
            rosters[Int(subscription.roster)].subscriber(at: Int(subscription.slot))?.position
        }

        func storeOrders(for payload: Span<UInt8>) -> Int {
            var orders = 0
            ClientCommand.parse(payload, limits: commandLimits) { line in
                let action: Session.Action
                switch line {
                case .plainAck(let ack): action = session.receive(ack, in: payload) { position($0) }
                case .command(let command):
                    let now = Timestamp(milliseconds: 1_800_000_000_000)
                    action = session.receive(command.body, now: now, limits: limits) { position($0) }
                case .rejected: return
                }
                if case .store = action { orders += 1 }
            }
            return orders
        }
    }
}
