import HangGuard
import JSON
import Testing

@testable import Messaging

@Suite("Tables of known members", .guarded)
struct MemberTests {
    @Test("Every member of an event has a unique name and an index")
    func events() throws {
        let words = EventMember.allCases.map { JSONSlice.word($0.name) }
        #expect(Set(words).count == words.count && !words.contains(0), "a name of more than 16 bytes would stand for every long one")
        let text = "{" + EventMember.allCases.map { #""\#($0.name)":"\#($0.rawValue)""# }.joined(separator: ",") + "}"
        let document = try JSONDocument(parsing: Array(text.utf8))
        let members = EventMembers(of: document.root, in: document)
        for member in EventMember.allCases { #expect(members[member] != nil, "\(member.name)") }
        let longer = try JSONDocument(parsing: Array(#"{"a name beyond sixteen bytes":1}"#.utf8))
        let none = EventMembers(of: longer.root, in: longer)
        for member in EventMember.allCases { #expect(none[member] == nil, "\(member.name)") }
    }

    @Test("Every member of a command has a unique name and an index in both parsers")
    func commands() throws {
        let words = CommandMember.allCases.map { JSONSlice.word($0.name) }
        #expect(Set(words).count == words.count && !words.contains(0))
        #expect(CommandMember.plainWords.map { UInt128($0) } == words)
        let text = Array(("{" + CommandMember.allCases.map { #""\#($0.name)":\#($0.rawValue)"# }.joined(separator: ",") + "}").utf8)
        var plain = CommandMembers()
        #expect(plain.readPlain(from: 0, of: text.span) == text.count)
        var general = CommandMembers()
        try general.read(0..<text.count, of: text.span)
    }
}
