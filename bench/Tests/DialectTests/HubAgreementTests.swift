import Messaging
import Testing

@testable import Dialect

/// Compares the bench with the hub's own code: when the form of an entry changes, the lengths that the bench computes must change too.
@Suite("The hub's entry")
struct HubAgreementTests {
    @Test("Has the length that was asked for", arguments: [(300, 1), (300, 9_999), (301, 123_456), (1_200, 10)])
    func length(bytes: Int, seq: UInt64) throws {
        let entry = try delivered(try #require(Dialect.hub.publication(mark: 42, bytes: bytes, seq: seq)), seq: seq)
        #expect(entry.count == bytes)
        var listener = Listener(.hub, .subscriber)
        var marks: [UInt64?] = []
        let heard = listener.receive(entry.span) { marks.append($0) }
        #expect(marks == [42])
        #expect(heard == Heard())
    }

    @Test("Needs about two hundred bytes for itself")
    func least() throws {
        #expect((180...260).contains(try #require(Dialect.hub.leastBytes())))
    }

    @Test("Is subscribed to by a command that the hub takes")
    func greeting() throws {
        let message = try #require(
            Dialect.hub.greeting(.subscriber, session: 0, token: "t", channels: ["inbox", "broadcast:system"]).first)
        let commands = ClientCommand.parse(message.bytes, limits: CommandLimits())
        #expect(commands.count == 1)
        guard case .success? = commands.first else {
            Issue.record("\(commands)")
            return
        }
    }

    /// The frame that the hub's event decoder and frame encoder make of a record.
    private func delivered(_ publication: Publication, seq: UInt64) throws -> [UInt8] {
        guard case .record(let value) = publication else { throw Unexpected(what: publication) }
        let record = EventRecord(topic: Publication.topic, partition: 0, offset: 0, value: value)
        guard case .entries(let drafts) = EventDecoder().decode(record), drafts.count == 1 else { throw Unexpected(what: publication) }
        var bytes: [UInt8] = []
        ServerMessage.entry(Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 1_764_000_000_123), draft: drafts[0]), into: &bytes)
        return bytes
    }

    private struct Unexpected: Error { let what: Publication }
}
