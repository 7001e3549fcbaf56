import HangGuard
import Linux
import Testing

@testable import Reactor

@Suite(.timeLimit(.minutes(1)), .guarded) struct CourtesyTests {
    private let start = MonotonicInstant.now

    private func act(
        _ courtesy: inout Courtesy, after milliseconds: Int, awaits: Bool = true, heard: Bool = false, isBusy: Bool = true
    ) -> Courtesy.Act {
        (courtesy.awaits, courtesy.heard) = (awaits, heard)
        return courtesy.act(isBusy: isBusy, at: start + .milliseconds(milliseconds))
    }

    @Test func nothingIsLeftToOthersWhileNothingIsAwaitedOrNothingIsToDo() {
        var courtesy = Courtesy()
        #expect(act(&courtesy, after: 0, awaits: false) == .goOn)
        #expect(act(&courtesy, after: 1, isBusy: false) == .goOn)
    }

    @Test func aLoopThatIsAnsweredOnlyYields() {
        var courtesy = Courtesy()
        for time in 0..<100 { #expect(act(&courtesy, after: time, heard: time % 4 == 3) == .yield) }
    }

    @Test func aLoopWithoutAnAnswerStandsAsideNowAndThen() {
        var courtesy = Courtesy()
        var aside: [Int] = []
        for time in 0..<20 where act(&courtesy, after: time) == .standAside { aside.append(time) }
        #expect(aside == [4, 9, 14, 19])
    }

    @Test func patienceBeginsAnewWithTheNextQuestion() {
        var courtesy = Courtesy()
        #expect(act(&courtesy, after: 0) == .yield)
        #expect(act(&courtesy, after: 3, awaits: false) == .goOn)
        #expect(act(&courtesy, after: 5) == .yield)
        #expect(act(&courtesy, after: 8) == .yield)
        #expect(act(&courtesy, after: 9) == .standAside)
    }
}
