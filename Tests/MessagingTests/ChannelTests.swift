import HangGuard
import Testing

@testable import Messaging

@Suite("Channels and their names", .guarded)
struct ChannelTests {
    @Test("a broadcast's whole name may have 300 bytes, and no more", arguments: ["x", "é"])
    func longestName(letter: String) throws {
        let user = try #require(UserID("ann"))
        let head = "broadcast:k:"
        func name(_ bytes: Int) -> String {
            head + String(repeating: letter, count: (bytes - head.utf8.count) / letter.utf8.count)
        }
        #expect(name(300).utf8.count == 300)
        #expect(Channel(wireName: name(300), for: user)?.wireName == name(300))
        #expect(Channel(storedName: name(300))?.storedName == name(300))
        #expect(Channel(wireName: name(300 + letter.utf8.count), for: user) == nil)
        #expect(Channel(storedName: name(300 + letter.utf8.count)) == nil)
    }

    @Test("the inbox of the user with the longest name has a stored name")
    func longestUser() throws {
        let user = try #require(UserID(String(repeating: "u", count: UserID.maximumBytes)))
        #expect(Channel(storedName: Channel.inbox(user).storedName) == .inbox(user))
    }

    @Test(
        "other names are no channels", arguments: ["", "inbox:ann", "broadcast:", "broadcast:a", "broadcast:a:", "broadcast::a", "talk:1"])
    func otherNames(name: String) throws {
        #expect(Channel(wireName: name, for: try #require(UserID("ann"))) == nil)
    }
}
