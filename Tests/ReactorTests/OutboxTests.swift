import HangGuard
import Testing

@testable import Reactor

@Suite(.guarded) struct OutboxTests {
    private func bytes(_ outbox: inout Outbox, _ run: Int32) -> [UInt8] {
        outbox.withBytes(of: run) { span in span.indices.map { span[$0] } }
    }

    @Test func connectionsWithTheSameFramesShareOneRun() {
        var outbox = Outbox()
        let a = outbox.stage([1, 2])
        let b = outbox.stage([3])
        var runs: [Int32] = Array(repeating: Outbox.noRun, count: 100)
        for frame in [a, b] {
            for index in runs.indices { runs[index] = outbox.extend(runs[index], by: frame) }
        }
        #expect(Set(runs).count == 1)
        #expect(bytes(&outbox, runs[0]) == [1, 2, 3])
        #expect(outbox.count(of: runs[0]) == 3)
    }

    @Test func theSameFramesInAnotherOrderMakeAnotherRun() {
        var outbox = Outbox()
        let a = outbox.stage([1])
        let b = outbox.stage([2])
        let ab = outbox.extend(outbox.extend(Outbox.noRun, by: a), by: b)
        let ba = outbox.extend(outbox.extend(Outbox.noRun, by: b), by: a)
        #expect(ab != ba)
        #expect(bytes(&outbox, ab) == [1, 2])
        #expect(bytes(&outbox, ba) == [2, 1])
        #expect(bytes(&outbox, ba) == [2, 1])
    }

    @Test func framesOfAnEarlierTurnAreNotHeld() {
        var outbox = Outbox()
        let old = outbox.stage([1])
        #expect(outbox.holds(old))
        outbox.reset()
        #expect(!outbox.holds(old))
        let new = outbox.stage([2])
        #expect(!outbox.holds(old))
        #expect(outbox.holds(new))
        #expect(!outbox.holds(.none))
    }

    @Test func onlyLargeFramesAreKeptUncopied() {
        var outbox = Outbox()
        let small = outbox.stage([UInt8](repeating: 1, count: Outbox.smallFrameBytes))
        let large = outbox.stage([UInt8](repeating: 2, count: Outbox.smallFrameBytes + 1))
        #expect(!outbox.isLarge(small))
        #expect(outbox.isLarge(large))
        #expect(outbox.largeBytes(large).count == Outbox.smallFrameBytes + 1)
    }

    /// Whatever is sent to whom in whatever order: each gets its own frames, in order.
    @Test(arguments: 0..<30 as Range<UInt64>) func everyRunIsTheConcatenationOfItsFrames(seed: UInt64) {
        var random = SplitMix(seed)
        var outbox = Outbox()
        for _ in 0..<3 {
            var frames: [(StagedFrame, [UInt8])] = []
            var runs: [Int32] = Array(repeating: Outbox.noRun, count: 12)
            var expected: [[UInt8]] = Array(repeating: [], count: 12)
            for _ in 0..<200 {
                if frames.isEmpty || random.next() % 3 == 0 {
                    let frame = (0..<random.next() % 9 + 1).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                    frames.append((outbox.stage(frame), frame))
                }
                let connection = Int(random.next() % 12)
                let frame = frames[Int(random.next() % UInt64(frames.count))]
                runs[connection] = outbox.extend(runs[connection], by: frame.0)
                expected[connection] += frame.1
                if random.next() % 40 == 0 {
                    #expect(bytes(&outbox, runs[connection]) == expected[connection])
                    runs[connection] = Outbox.noRun
                    expected[connection] = []
                }
            }
            for connection in runs.indices where runs[connection] != Outbox.noRun {
                #expect(outbox.count(of: runs[connection]) == expected[connection].count)
                #expect(bytes(&outbox, runs[connection]) == expected[connection])
            }
            outbox.reset()
        }
    }
}

@Suite(.guarded) struct BacklogTests {
    @Test(arguments: 0..<20 as Range<UInt64>) func theBacklogReturnsItsBytesInOrder(seed: UInt64) {
        var random = SplitMix(seed)
        var backlog = Backlog()
        var expected: [UInt8] = []
        var sent = 0
        for _ in 0..<400 {
            if random.next() % 2 == 0 {
                let size = random.next() % 20 == 0 ? 50_000 : Int(random.next() % 700) + 1
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: size)
                if random.next() % 4 == 0 {
                    let from = Int(random.next() % UInt64(size))
                    backlog.append(sharing: bytes, from: from)
                    expected += bytes[from...]
                } else {
                    backlog.append(copying: bytes.span)
                    expected += bytes
                }
            } else if backlog.count > 0 {
                let next = backlog.withNext { span in span.indices.map { span[$0] } }
                #expect(!next.isEmpty)
                #expect(expected[sent..<sent + next.count].elementsEqual(next))
                let taken = Int(random.next() % UInt64(next.count)) + 1
                backlog.consume(taken)
                sent += taken
            }
            #expect(backlog.count == expected.count - sent)
        }
    }
}
