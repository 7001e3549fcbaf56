import HangGuard
import TestKit
import Testing

@testable import Messaging

@Suite("Who is there, as all loops of all hubs say", .guarded)
struct PresenceBookTests {
    /// One step of a story: what a source says, or the time at which silent ones are dropped.
    private enum Step {
        case says(UInt64, version: UInt64, at: Int64, [(String, Presence)])
        case digest(UInt64, version: UInt64, at: Int64, from: String?, to: String?, [(String, Presence)])
        case drop(at: Int64)
    }

    private struct Story: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let steps: [Step]
        let ann: ShownPresence

        init(_ name: String, _ steps: [Step], _ ann: ShownPresence) { (testDescription, self.steps, self.ann) = (name, steps, ann) }
    }

    private static let minute = Timestamp(milliseconds: 60_000)

    private static let all: [Story] = [
        Story("nothing is known", [], .offline(lastSeen: nil)),
        Story("online", [.says(1, version: 1, at: 0, [("ann", .online)])], .online),
        Story("away", [.says(1, version: 1, at: 0, [("ann", .online)]), .says(1, version: 2, at: 1, [("ann", .away)])], .away),
        Story(
            "gone, with the minute",
            [.says(1, version: 1, at: 0, [("ann", .online)]), .says(1, version: 2, at: 119_999, [("ann", .gone)])],
            .offline(lastSeen: minute)),
        Story(
            "whoever stops sharing leaves no time",
            [.says(1, version: 1, at: 0, [("ann", .online)]), .says(1, version: 2, at: 119_999, [("ann", .hidden)])],
            .offline(lastSeen: nil)),
        Story(
            "and takes an earlier one away",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .says(1, version: 2, at: 70_000, [("ann", .gone)]),
                .says(2, version: 1, at: 80_000, [("ann", .hidden)]),
            ], .offline(lastSeen: nil)),
        Story(
            "two tabs on two hubs: online until both have ended",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .says(2, version: 1, at: 0, [("ann", .online)]),
                .says(1, version: 2, at: 1, [("ann", .gone)]),
            ], .online),
        Story(
            "both have ended",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .says(2, version: 1, at: 0, [("ann", .online)]),
                .says(1, version: 2, at: 1, [("ann", .gone)]), .says(2, version: 2, at: 60_001, [("ann", .gone)]),
            ], .offline(lastSeen: minute)),
        Story(
            "online in one tab and away in the other is online",
            [.says(1, version: 1, at: 0, [("ann", .away)]), .says(2, version: 1, at: 0, [("ann", .online)])], .online),
        Story(
            "a hub that was killed: its users are gone when it was silent for too long",
            [.says(1, version: 1, at: 60_000, [("ann", .online)]), .drop(at: 60_000 + PresenceBook.silence + 1)],
            .offline(lastSeen: minute)),
        Story(
            "not before", [.says(1, version: 1, at: 60_000, [("ann", .online)]), .drop(at: 60_000 + PresenceBook.silence)], .online),
        Story(
            "its digests keep a hub's users",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 20_000, from: nil, to: nil, [("ann", .online)]),
                .drop(at: 40_000),
            ], .online),
        Story(
            "a silent hub takes nobody who is elsewhere, too",
            [.says(1, version: 1, at: 0, [("ann", .online)]), .says(2, version: 1, at: 20_000, [("ann", .away)]), .drop(at: 30_000)], .away),
        Story(
            "who is missing in a digest is gone",
            [.says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 60_000, from: nil, to: nil, [("bob", .online)])],
            .offline(lastSeen: minute)),
        Story(
            "a hub that says goodbye: its users are gone after the time in which they may come back",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 60_000, from: nil, to: nil, []),
                .drop(at: 60_000 + PresenceBook.grace + 1),
            ], .offline(lastSeen: minute)),
        Story(
            "not before",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 60_000, from: nil, to: nil, []),
                .drop(at: 60_000 + PresenceBook.grace),
            ], .online),
        Story(
            "and not at all if they have come to another hub",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 60_000, from: nil, to: nil, []),
                .says(2, version: 1, at: 61_000, [("ann", .online)]), .drop(at: 60_000 + PresenceBook.grace + 1),
            ], .online),
        Story(
            "a goodbye that comes late takes nobody away who came since",
            [
                .says(1, version: 3, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 1, from: nil, to: nil, []),
                .drop(at: PresenceBook.grace + 2),
            ], .online),
        Story(
            "somebody comes to a loop that had no users",
            [
                .says(1, version: 1, at: 0, [("bob", .online)]), .digest(1, version: 2, at: 1, from: nil, to: nil, []),
                .says(1, version: 3, at: 2, [("ann", .online)]), .drop(at: PresenceBook.grace + 2),
            ], .online),
        Story(
            "but not who is beyond its part",
            [.says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 1, from: "b", to: nil, [])], .online),
        Story(
            "the end of a part is not in it",
            [.says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 1, from: nil, to: "ann", [])], .online),
        Story(
            "its beginning is",
            [.says(1, version: 1, at: 60_000, [("ann", .online)]), .digest(1, version: 2, at: 60_001, from: "ann", to: "b", [])],
            .offline(lastSeen: minute)),
        Story(
            "a digest that comes late takes nobody away who came since",
            [.says(1, version: 3, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 1, from: nil, to: nil, [])], .online),
        Story(
            "a change that comes late changes nothing",
            [.says(1, version: 3, at: 0, [("ann", .away)]), .says(1, version: 2, at: 1, [("ann", .online)])], .away),
        Story(
            "nor does a repeated one",
            [
                .says(1, version: 1, at: 0, [("ann", .online)]), .says(1, version: 2, at: 0, [("ann", .away)]),
                .says(1, version: 1, at: 1, [("ann", .online)]),
            ], .away),
    ]

    private func play(_ steps: [Step]) throws -> (PresenceBook, changed: [Set<UserID>]) {
        var book = PresenceBook()
        func lines(_ said: [(String, Presence)]) throws -> [PresenceNews.Line] { try said.map { PresenceNews.Line(try user($0.0), $0.1) } }
        let changed = try steps.map { step in
            switch step {
            case .says(let source, let version, let now, let said):
                return book.hear(PresenceNews(source: source, version: version, lines: try lines(said)), now: now)
            case .digest(let source, let version, let now, let from, let to, let said):
                let range = PresenceNews.Range(lower: try from.map { try user($0) }, upper: try to.map { try user($0) })
                return book.hear(PresenceNews(source: source, version: version, range: range, lines: try lines(said)), now: now)
            case .drop(let now): return book.dropSilent(now: now)
            }
        }
        return (book, changed)
    }

    @Test("each story ends as it should", arguments: 0..<all.count)
    func ends(_ index: Int) throws {
        let story = Self.all[index]
        #expect(try play(story.steps).0.shown(user("ann")) == story.ann, "\(story.testDescription)")
    }

    @Test("only changes are told")
    func changes() throws {
        let ann = try user("ann")
        let changed = try play([
            .says(1, version: 1, at: 0, [("ann", .online)]), .digest(1, version: 2, at: 1, from: nil, to: nil, [("ann", .online)]),
            .says(1, version: 3, at: 2, [("ann", .away), ("bob", .online)]), .says(1, version: 4, at: 3, [("cyd", .gone)]),
            .drop(at: 50_000),
        ]).changed
        #expect(changed == [[ann], [], [ann, try user("bob")], [], [ann, try user("bob")]])
    }

    @Test("those who were there last are remembered, and no more than a number of them")
    func bound() throws {
        var book = PresenceBook()
        for number in 0...PresenceBook.mostRemembered {
            let line = try user("u\(number)")
            let now = Int64(number) * 60_000
            _ = book.hear(PresenceNews(source: 1, version: UInt64(2 * number + 1), lines: [.init(line, .online)]), now: now)
            _ = book.hear(PresenceNews(source: 1, version: UInt64(2 * number + 2), lines: [.init(line, .gone)]), now: now)
        }
        #expect(try book.shown(user("u0")) == .offline(lastSeen: nil))
        let last = Timestamp(milliseconds: Int64(PresenceBook.mostRemembered) * 60_000)
        #expect(try book.shown(user("u\(PresenceBook.mostRemembered)")) == .offline(lastSeen: last))
        #expect(book.count == 0)
    }

    @Test("what clients are told")
    func frames() throws {
        func text(_ write: (inout [UInt8]) -> Void) -> String {
            var bytes: [UInt8] = []
            write(&bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        let ann = try user("ann")
        #expect(
            text { ServerMessage.signal(.presence(ann, .away), into: &$0) }
                == #"{"type":"signal","signal":"presence","user":"ann","state":"away"}"#)
        #expect(
            text { ServerMessage.presence(re: 4, [(ann, .online), (ann, .offline(lastSeen: Self.minute))], into: &$0) }
                == #"{"re":4,"ok":{"users":[{"user":"ann","state":"online"},{"user":"ann","state":"offline","lastSeen":"1970-01-01T00:01:00.000Z"}]}}"#
        )
        #expect(text { ServerMessage.presence(re: 4, [], into: &$0) } == #"{"re":4,"ok":{"users":[]}}"#)
    }
}
