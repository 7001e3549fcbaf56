import HangGuard
import Testing

@testable import Messaging

@Suite("Session: positions and users of an earlier attempt", .guarded)
struct PositionRuleTests {
    @Test(
        "a position counts in the epoch in which the client got it, and in no other one",
        arguments: [(Epoch?.none, false), (Epoch(random: 7), false), (Epoch(random: 8), true), (Epoch(orUnknown: "?"), true)])
    func epochs(told: Epoch?, isOutdated: Bool) {
        let present = Epoch(random: 7)
        let since = SubscriptionRequest(channel: "inbox", start: .since(Seq(3)), epoch: told)
        #expect(since.isOutdated(in: present) == isOutdated)
        for start in [SubscriptionStart.head, .tail(3)] {
            #expect(!SubscriptionRequest(channel: "inbox", start: start, epoch: told).isOutdated(in: present))
        }
    }

    @Test(
        "a channel is followed from behind its oldest entry up to its newest one",
        arguments: [
            (UInt64(0), ErrorCode?.some(.positionTooOld)), (3, .positionTooOld), (4, nil), (9, nil), (10, .positionUnknown),
        ])
    func bounds(since: UInt64, code: ErrorCode?) {
        var state = ChannelState(channel: .broadcast("system"), head: Seq(9))
        state.first = Seq(5)
        #expect(state.refusal(of: Seq(since))?.code == code)
    }

    @Test("a session whose connect failed is not another user's either")
    func userOfFailedConnect() {
        var session = Session(id: "s1")
        #expect(session.identify(SessionTests.identity()) == true)
        #expect(session.abandonConnect().isEmpty)
        #expect(session.identify(SessionTests.identity(SessionTests.bob)) == false)
        #expect(session.identify(SessionTests.identity()) == true)
    }
}
