import Testing

@testable import Load

@Suite struct ReturningTests {
    private static let second: Int64 = 1_000_000_000

    @Test func aSeatTriesOnePortAfterTheOtherAndItsLossCountsOnce() {
        var returning = Returning([1, 2, 3], seats: 4)
        var now = Self.second
        var ports: [UInt16] = []
        for attempt in 0..<4 {
            let isLoss = returning.lost(2, at: now)
            #expect(isLoss == (attempt == 0))
            // The pause is over within half a second, and not at once.
            #expect(returning.due(now) == nil)
            now += Self.second / 2
            guard let (seat, port) = returning.due(now) else { return Issue.record("no attempt") }
            #expect(seat == 2)
            ports.append(port)
        }
        #expect(ports == [1, 2, 3, 1])
        #expect(!returning.areAllBack)
        #expect(returning.cameBack(2) == Self.second)
        #expect(returning.cameBack(2) == nil)
        #expect(returning.areAllBack && returning.next == nil)
    }

    @Test func seatsThatAreLostTogetherComeBackAtDifferentTimes() {
        var returning = Returning([1], seats: 100)
        for seat in 0..<100 { _ = returning.lost(seat, at: 0) }
        var times: Set<Int64> = []
        while let next = returning.next {
            times.insert(next)
            #expect(returning.due(next - 1) == nil)
            #expect(returning.due(next) != nil)
        }
        #expect(times.count > 90)
    }
}
