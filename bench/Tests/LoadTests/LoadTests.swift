import Dialect
import Linux
import Report
import Testing

@testable import Load

@Suite struct LoadTests {
    @Test func aMarkedFrameUnmasksToItsMessageWithTheNewMark() {
        let text = (Dialect.plain.echoMessage(mark: 0, bytes: 300)?.bytes) ?? []
        var frame = MarkedFrame(text, markAt: 0)
        for mark: UInt64 in [0, 7, 1_234_567_890_123_456] {
            let bytes = frame.marked(mark)
            #expect(bytes[0] == 0x81 && bytes[1] == 0x80 | 126)
            let key = Array(bytes[4..<8])
            let payload = bytes[8...].enumerated().map { $1 ^ key[$0 & 3] }
            #expect(payload == Dialect.plain.echoMessage(mark: mark, bytes: 300)?.bytes)
        }
    }

    @Test func aNumberIsFoundBehindItsName() {
        let line = Array(#"{"type":"entry","channel":"inbox","seq":42,"id":"7"}"#.utf8)
        let seq = HubLineView.number(line.span, 0..<line.count, after: HubLineView.seq)
        let delivered = HubLineView.number(line.span, 0..<line.count, after: HubLineView.delivered)
        let channel = HubLineView.text(line.span, 0..<line.count, after: HubLineView.channel)
        let isEntry = HubLineView.begins(line.span, 0..<line.count, HubLineView.entry)
        let isLive = HubLineView.begins(line.span, 0..<line.count, HubLineView.live)
        #expect(seq == 42 && delivered == nil && channel == "inbox" && isEntry && !isLive)
    }

    @Test func everyLineOfAMessageIsSeenOnce() {
        let message = Array("a\nbc\n\nd".utf8)
        var lines: [Range<Int>] = []
        HubLineView.each(message.span) { lines.append($0) }
        #expect(lines == [0..<1, 2..<4, 5..<5, 6..<7])
    }

    @Test func findingsOfSeveralWorkersAddUp() {
        var first = Findings(counts: ["deliveries": 3], userSeconds: 1, systemSeconds: 2, seconds: 5)
        first.latencies["way"] = LatencyRecorder()
        first.latencies["way"]?.record(nanoseconds: 1_000)
        var second = first
        second.seconds = 4
        second.merge(first)
        #expect(second.count("deliveries") == 6 && second.userSeconds == 2 && second.seconds == 5)
        #expect(second.latencies["way"]?.count == 2)
    }

    @Test func memoryGrowsFromTheSecondReadingOn() {
        let points = [(0, 1_000), (100, 201_000), (200, 301_000), (400, 501_000)].map {
            MemoryPoint(connections: $0.0, residentBytes: Int64($0.1))
        }
        #expect(Idle.slope(points) == 1_000)
        #expect(Idle.slope(Array(points.prefix(2))) == nil)
    }

    @Test func theHubsThreadsHaveGroups() {
        #expect(
            ["loop-0", "echo-3", "hub-store", "intake", "rdk:main", "hub"].map(ProcessTimes.hubGroup) == [
                "loops", "loops", "store", "intake", "librdkafka", "other",
            ])
    }

    @Test func processorTimeOfThisProcessIsCounted() {
        let before = ProcessTimes([Process.id], withChildren: false) { _ in "all" }
        var sum: UInt64 = 0
        for number in 0..<20_000_000 as Range<UInt64> { sum = sum &* 31 &+ number }
        let spent = ProcessTimes([Process.id], withChildren: false) { _ in "all" }.spent(since: before)
        #expect(sum != 1 && spent.count == 1 && (spent.first?.totalSeconds ?? 0) > 0)
    }
}
