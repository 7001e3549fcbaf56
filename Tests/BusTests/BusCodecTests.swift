import FuzzBodies
import HangGuard
import Messaging
import TestKit
import Testing

@testable import Bus

@Suite("The bus's codec", .guarded)
struct BusCodecTests {
    private func message(_ events: [BusEvent]) throws -> [UInt8] {
        let encoded = BusCodec.encode(events, usualMessage: BusCodec.longestMessage)
        #expect(encoded.leftOut == 0)
        try #require(encoded.messages.count == 1)
        return encoded.messages[0]
    }

    private func failure(_ message: [UInt8]) -> BusCodec.Failure? {
        do throws(BusCodec.Failure) {
            _ = try BusCodec.decode(message)
            return nil
        } catch {
            return error
        }
    }

    private func typing() throws -> BusEvent { .signal(.typing(.broadcast("system"), try user("ann"))) }

    @Test("random events are decoded as they were encoded", arguments: 0..<200 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var source = RandomEvents(seed: seed)
        let events = try source.events(Int.random(in: 1...20, using: &source.random))
        #expect(try BusCodec.decode(message(events)) == BusCodec.Decoded(events: events))
    }

    @Test("the encoding has the documented form")
    func form() throws {
        let expected: [UInt8] = [1, 5, 4, 21, 16] + Array("broadcast:system".utf8) + [3] + Array("ann".utf8)
        #expect(try message([typing()]) == expected)
    }

    @Test("the numbers of enumeration cases are positions in the decoder's lists")
    func enumerations() {
        for kind in EntryDraft.Kind.allCases { #expect(EntryDraft.Kind.onTheBus[Int(kind.busNumber)] == kind) }
        for priority in EntryDraft.Priority.allCases { #expect(EntryDraft.Priority.onTheBus[Int(priority.busNumber)] == priority) }
        for form in EntryDraft.Form.allCases { #expect(EntryDraft.Form.onTheBus[Int(form.busNumber)] == form) }
    }

    // MARK: Sizes

    @Test("many entries are divided among messages of the usual length, in their order")
    func division() throws {
        var source = RandomEvents(seed: 1)
        var entries: [Entry] = []
        for _ in 0..<300 { entries.append(try source.entry()) }
        let encoded = BusCodec.encode([.entries(entries), try typing()], usualMessage: 4_096)
        #expect(encoded.messages.count > 5 && encoded.leftOut == 0)
        #expect(encoded.messages.allSatisfy { $0.count <= 4_096 + 64 })
        var read: [Entry] = []
        for message in encoded.messages {
            for case .entries(let part) in try BusCodec.decode(message).events { read += part }
        }
        #expect(read == entries)
    }

    @Test("events longer than the longest message are left out and counted; the others are encoded")
    func longest() throws {
        let channel = try inbox("ann")
        let large = draft(channel, "large", content: String(repeating: " ", count: BusCodec.longestMessage))
        let entries = [draft(channel, "before"), large, draft(channel, "after")].enumerated().map { place, draft in
            Entry(seq: Seq(UInt64(place) + 1), createdAt: Timestamp(milliseconds: 0), draft: draft)
        }
        let encoded = BusCodec.encode([.entries(entries)])
        #expect(encoded.leftOut == 1)
        let events = try encoded.messages.flatMap { try BusCodec.decode($0).events }
        #expect(events == [.entries([entries[0], entries[2]])])
        #expect(failure([UInt8](repeating: 1, count: BusCodec.longestMessage + 1)) == .tooLong)
    }

    @Test("a false length or count causes no allocation")
    func claims() {
        let most: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]
        #expect(failure([1, 0, 1] + most) == .truncated)
        #expect(failure([1, 0, 1, 10] + most) == .malformed)
        #expect(failure([1, 0, 4, 10] + most) == .malformed)
    }

    // MARK: Versions

    @Test("another major version, or none, is refused")
    func majorVersions() throws {
        var bytes = try message([typing()])
        bytes[0] = BusCodec.major + 1
        #expect(failure(bytes) == .unknownVersion)
        #expect(failure([]) == .unknownVersion)
        #expect(failure([BusCodec.major]) == .unknownVersion)
        #expect(try BusCodec.decode([BusCodec.major, BusCodec.minor]) == BusCodec.Decoded())
    }

    @Test("unknown kinds of a newer minor version are skipped and counted; of this version they are refused")
    func unknownKinds() throws {
        var bytes = try message([typing()])
        bytes += [200, 3, 1, 2, 3]
        bytes += try message([typing()]).dropFirst(2)
        #expect(failure(bytes) == .malformed)
        bytes[1] = BusCodec.minor + 1
        #expect(try BusCodec.decode(bytes) == BusCodec.Decoded(events: [typing(), typing()], unknownKinds: 1))
    }

    @Test("unknown members at the end of a body are skipped for a newer minor version")
    func longerBodies() throws {
        var bytes = try message([typing()])
        bytes[3] += 2
        bytes += [7, 7]
        #expect(failure(bytes) == .malformed)
        bytes[1] = BusCodec.minor + 1
        #expect(try BusCodec.decode(bytes) == BusCodec.Decoded(events: [typing()]))
    }

    @Test("a list that is left out when it is empty is refused when it is there and empty")
    func emptyLists() throws {
        let hidden = BusEvent.signal(.typing(.broadcast("system"), try user("ann"), hiddenFrom: [try user("bob")]))
        var bytes = try message([hidden])
        #expect(bytes[2] == 7 && bytes[3] == 26)
        bytes.removeLast(4)
        bytes[3] = 22
        bytes[bytes.count - 1] = 0
        #expect(failure(bytes) == .malformed)
    }

    private func entries(replacing: Set<Int>) throws -> [Entry] {
        try (0..<4).map {
            Entry(
                seq: Seq(UInt64($0) + 1), createdAt: Timestamp(milliseconds: 0),
                draft: draft(try inbox("ann"), "\($0)", collapse: $0 == 3 ? nil : "a"), replaces: replacing.contains($0))
        }
    }

    @Test("an older node reads entries that replace others, and skips which of them do")
    func replacingForOlderNodes() throws {
        let plain = try message([.entries(entries(replacing: []))])
        let marked = try message([.entries(entries(replacing: [1, 2]))])
        // The length of the body takes two bytes. An older node skips what is behind the entries.
        #expect(Array(marked.dropFirst(5).dropLast(3)) == Array(plain.dropFirst(5)) && marked.suffix(3) == [2, 1, 2])
        #expect(try BusCodec.decode(marked).events == [.entries(entries(replacing: [1, 2]))])
    }

    @Test("a cursor that an older node tells has no version, and what a newer node adds is skipped")
    func versionOfCursors() throws {
        let ann = try user("ann")
        var message = try message([.movedElsewhere(ann, .broadcast("system"), version: 300)])
        message[1] = BusCodec.minor + 1
        #expect(try BusCodec.decode(message).events == [.movedElsewhere(ann, .broadcast("system"), version: 300)])
        let old: [UInt8] = [1, 3, 10, 21, 16] + Array("broadcast:system".utf8) + [3] + Array("ann".utf8)
        #expect(try BusCodec.decode(old).events == [.movedElsewhere(ann, .broadcast("system"), version: 0)])
    }

    @Test("in a message of an older node every entry with a collapse key may replace others")
    func replacingOfOlderNodes() throws {
        var bytes = try message([.entries(entries(replacing: []))])
        #expect(try BusCodec.decode(bytes).events == [.entries(entries(replacing: []))])
        bytes[1] = 2
        #expect(try BusCodec.decode(bytes).events == [.entries(entries(replacing: [0, 1, 2]))])
        bytes = try message([.entries(entries(replacing: [1]))])
        bytes[1] = 2
        #expect(failure(bytes) == .malformed, "that version had nothing behind the entries")
    }

    @Test(
        "positions of replacing entries must be there, ascend and not be left out",
        arguments: [[2, 2, 1], [2, 1, 1], [2, 1, 4], [0, 1, 2]])
    func replacingPositions(end: [UInt8]) throws {
        let bytes = try message([.entries(entries(replacing: [1, 2]))])
        #expect(failure(bytes.dropLast(3) + end) == .malformed)
    }

    @Test("an event with an unknown value is counted as unreadable for a newer minor version")
    func unknownValues() throws {
        var bytes: [UInt8] = [1, 0, 4, 12, 7] + Array("group:x".utf8) + [3] + Array("ann".utf8)
        #expect(failure(bytes) == .malformed)
        bytes[1] = BusCodec.minor + 1
        bytes += try message([typing()]).dropFirst(2)
        #expect(try BusCodec.decode(bytes) == BusCodec.Decoded(events: [typing()], unreadable: 1))
    }

    // MARK: Malformed messages

    @Test("a number has only one encoding")
    func numbers() {
        let name = Array("broadcast:system".utf8)
        #expect(failure([1, 0, 4, 22, 0x90, 0x00] + name + [3] + Array("ann".utf8)) == .malformed)
        #expect(failure([1, 0, 0x04, 0x80]) == .truncated)
        #expect(failure([1, 0, 4] + [UInt8](repeating: 0xFF, count: 9) + [2]) == .malformed)
    }

    @Test("texts must be UTF-8, users valid user ids, contents one line")
    func texts() throws {
        #expect(failure([1, 0, 4, 3, 1, 0xFF, 0]) == .malformed)
        #expect(failure([1, 0, 4, 18, 16] + Array("broadcast:system".utf8) + [0]) == .malformed)
        for content in ["\"a\":\n1", "\"a\":\"\0\""] {
            let entry = Entry(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), draft: draft(try inbox("ann"), "1", content: content))
            #expect(failure(try message([.entries([entry])])) == .malformed)
        }
    }

    @Test("every truncation and every changed byte gives an error or other events", arguments: 0..<3 as Range<UInt64>)
    func cutsAndFlips(seed: UInt64) throws {
        var source = RandomEvents(seed: seed)
        let whole = try message(source.events(2))
        for length in whole.indices { FuzzBody.bus.run(Array(whole[..<length])) }
        #expect(whole.indices.dropFirst(2).contains { failure(Array(whole[..<$0])) == .truncated })
        var spoilt = whole
        for index in whole.indices {
            for mask in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF] as [UInt8] {
                spoilt[index] = whole[index] ^ mask
                FuzzBody.bus.run(spoilt)
            }
            spoilt[index] = whole[index]
        }
    }

    @Test("randomly damaged messages give an error or other events", arguments: 0..<20 as Range<UInt64>)
    func mutations(seed: UInt64) throws {
        var source = RandomEvents(seed: seed)
        let corpus = try (0..<5).map { _ in try message(source.events(3)) }
        for _ in 0..<500 { FuzzBody.bus.run(Mutator.mutate(source.random.pick(corpus), with: corpus, using: &source.random)) }
    }

    @Test("inputs that fuzzers found are handled")
    func fuzzCorpus() throws {
        let corpus = try FuzzBody.bus.corpus()
        #expect(corpus.count > 10)
        for input in corpus { FuzzBody.bus.run(input) }
        // Seeds that are read: one of each kind at least.
        #expect(corpus.count { failure($0) == nil } > 4)
    }
}
