import Testing

@testable import Messaging

// Why a user has an entry.
extension SessionTests {
    @Test("why reads the one entry, and checks the right to a channel that is not followed first")
    func why() {
        var session = opened(following: ["inbox"])
        let inbox = Channel.inbox(Self.alice)
        #expect(
            receive(&session, .why(channel: "inbox", seq: Seq(7)))
                == .store(.page(inbox, after: Seq(6), before: nil, limit: 1), .why(inbox, Seq(7))))
        #expect(
            receive(&session, .why(channel: "broadcast:institution:paris", seq: Seq(1)))
                == .store(.state(Self.alice, .broadcast("institution:paris"), entitled: false), .whyRight(Seq(1))))
        #expect(code(receive(&session, .why(channel: "nowhere", seq: Seq(1)))) == .unknownChannel)
    }

    @Test(
        "the reasons in plain words, for each kind of channel",
        arguments: [
            (.inbox(alice), "this to you personally.", "envoyée à vous personnellement."),
            (
                .broadcast("system"), "this to everybody who may follow “system”.",
                "envoyée à toutes les personnes qui peuvent suivre « system »."
            ),
            (
                Channel(storedName: conversation)!, "this to the members of a conversation, and you are one of them.",
                "envoyée aux membres d’une conversation dont vous faites partie."
            ),
        ] as [(Channel, String, String)])
    func reasons(_ channel: Channel, _ english: String, _ french: String) {
        for reason in [EntryReason.rule("r"), .service] {
            #expect(reason.english(in: channel).hasSuffix(english))
            #expect(reason.french(in: channel).hasSuffix(french))
        }
    }
}
