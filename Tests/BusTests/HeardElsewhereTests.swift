import Bus
import HangGuard
import Linux
import Messaging
import TestKit
import Testing

@Suite("What an engine brought, and the journal finds again", .guarded)
struct HeardElsewhereTests {
    private let channel = Channel.broadcast("system")
    private let start = MonotonicInstant.now

    private func entry(_ seq: UInt64) -> Entry {
        Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft(channel, "e\(seq)"))
    }

    private func moved(_ name: String, _ version: UInt64) throws -> BusEvent {
        .moved(MovedCursor(try user(name), ChannelState(channel: channel, cursorVersion: version), isProgress: true, session: "s"))
    }

    @Test("a cursor that was heard is not read again; an older or another one is")
    func cursors() throws {
        var heard = HeardElsewhere(at: start)
        heard.note([try moved("ann", 7)], at: start)
        let ann = try user("ann")
        let found: [BusEvent] = [
            .movedElsewhere(ann, channel, version: 7), .movedElsewhere(ann, channel, version: 8),
            .movedElsewhere(ann, channel, version: 6), .movedElsewhere(try user("bob"), channel, version: 7),
            .movedElsewhere(ann, .inbox(ann), version: 7), .movedElsewhere(ann, channel, version: 0),
        ]
        #expect(heard.unheard(found, at: start) == [found[1], found[3], found[4], found[5]])
    }

    @Test("late and repeated cursors do not hide a newer one")
    func lateCursors() throws {
        var heard = HeardElsewhere(at: start)
        heard.note([try moved("ann", 9), try moved("ann", 4), try moved("ann", 9)], at: start)
        let newer = BusEvent.movedElsewhere(try user("ann"), channel, version: 10)
        #expect(heard.unheard([newer, .movedElsewhere(try user("ann"), channel, version: 9)], at: start) == [newer])
    }

    @Test("new entries are always told, and their members only of what they did not hear")
    func activity() throws {
        var heard = HeardElsewhere(at: start)
        let members = [try user("ann")]
        heard.note([.entries([entry(4), entry(5)]), .active(channel, members: members)], at: start)
        let known: [BusEvent] = [.storedElsewhere(channel, upTo: Seq(5)), .active(channel, members: members)]
        #expect(heard.unheard(known, at: start) == [known[0]])
        let new: [BusEvent] = [.storedElsewhere(channel, upTo: Seq(6)), .active(channel, members: members)]
        #expect(heard.unheard(new, at: start) == new)
    }

    @Test("entries whose members were not told do not count as told")
    func entriesAlone() throws {
        var heard = HeardElsewhere(at: start)
        heard.note([.entries([entry(5)])], at: start)
        let found: [BusEvent] = [.storedElsewhere(channel, upTo: Seq(5)), .active(channel, members: [try user("ann")])]
        #expect(heard.unheard(found, at: start) == found)
    }

    @Test("an opened conversation is told once; blocks are always told")
    func others() throws {
        var heard = HeardElsewhere(at: start)
        let ann = try user("ann")
        let opened = BusEvent.opened(ChannelState(channel: channel), by: ann)
        heard.note([opened, .hidingChanged(channel, of: ann)], at: start)
        #expect(heard.unheard([opened, .hidingChanged(channel, of: ann)], at: start) == [.hidingChanged(channel, of: ann)])
    }

    @Test("it forgets after a while")
    func age() throws {
        var heard = HeardElsewhere(at: start)
        heard.note([try moved("ann", 7)], at: start)
        let found = [BusEvent.movedElsewhere(try user("ann"), channel, version: 7)]
        #expect(heard.unheard(found, at: start + HeardElsewhere.kept) == [])
        #expect(heard.unheard(found, at: start + HeardElsewhere.kept * 2) == found)
        heard.note([try moved("ann", 7)], at: start + HeardElsewhere.kept * 2)
        #expect(heard.unheard(found, at: start + HeardElsewhere.kept * 60) == found)
    }
}
