import Testing

@testable import Load

@Suite struct ReturningTests {
    private static let second: Int64 = 1_000_000_000

    @Test func aSeatTriesOnePortAfterTheOtherAndItsLossCountsOnce() {
        var returning = Returning([1, 2, 3], seats: 4)
        var now = Self.second
        var ports: [UInt16] = []
        for number in 0..<4 {
            let isLoss = returning.lost(2, at: now)
            #expect(isLoss == (number == 0))
            // The pause is over within half a second, and not at once.
            let early = returning.due(now)
            #expect(early?.seat == nil)
            now += Self.second / 2
            let attempt = returning.due(now)
            #expect(attempt?.seat == 2)
            if let attempt { ports.append(attempt.port) }
        }
        #expect(ports == [1, 2, 3, 1])
        #expect(!returning.areAllBack)
        let (first, second) = (returning.cameBack(2), returning.cameBack(2))
        #expect(first == Self.second && second == nil)
        #expect(returning.areAllBack && returning.next == nil)
    }

    @Test func seatsThatAreLostTogetherComeBackAtDifferentTimes() {
        var returning = Returning([1], seats: 100)
        for seat in 0..<100 { _ = returning.lost(seat, at: 0) }
        var times: Set<Int64> = []
        while let next = returning.next {
            times.insert(next)
            let (early, due) = (returning.due(next - 1), returning.due(next))
            #expect(early?.seat == nil && due?.seat != nil)
        }
        #expect(times.count > 90)
    }
}
